// The public figures, exact with count_step = 1 and in steps otherwise.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Service, parallel, query, signer, sleep } from './harness.mjs';

/** The numbers of a table of /api/v1/stats, whatever its shape: {key: n}. */
function cells(table) {
    if (Array.isArray(table))
        return Object.fromEntries(table.map((row) => Array.isArray(row) ? row
            : [Object.values(row).find((v) => typeof v === 'string'), Object.values(row).find((v) => typeof v === 'number')]));
    return table;
}

function tables(stats) {
    const find = (word) => cells(Object.entries(stats)
        .find(([key, value]) => key.includes(word) && value && typeof value === 'object')?.[1]);
    return { country: find('country') ?? find('countries'), day: find('day'), tier: find('tier') };
}

const sum = (table) => Object.values(table).reduce((a, b) => a + b, 0);

test('an empty petition shows nothing but its opening entry', async () => {
    const service = await Service.create();
    try {
        assert.deepEqual(await service.count(), { count: 0, confirmed: 0, goal: 1_000_000, log_size: 1 });
        const { country, day, tier } = tables((await service.get('/api/v1/stats')).json);
        for (const table of [country, day, tier])
            assert.equal(sum(table), 0);
    } finally {
        await service.close();
    }
});

test('with count_step 1 figures equal a recount, whatever was signed and withdrawn', async () => {
    const service = await Service.create();
    try {
        const countries = ['KH', 'KH', 'FR', 'US', 'AU'];
        // 120 submissions of 60 contacts; then every third is withdrawn.
        const receipts = await parallel(120, 16, (i) => service.sign(signer(i % 60, {
            country: countries[i % 5], visibility: ['private', 'addressees', 'public'][i % 3], name: `Signer ${i}`,
        })));
        await parallel(40, 16, (i) => service.withdraw(receipts[i * 3].withdraw));
        const { count, confirmed, log_size: size } = await service.published(1 + 120 + 40);
        assert.equal(size, 161);
        assert.equal(confirmed, 0);
        const [recount] = await query(service.dir,
            'SELECT COUNT(DISTINCT tag) AS signatures, COUNT(tag) AS live FROM submission');
        assert.equal(count, recount.signatures);
        assert.equal(recount.live, 80);
        const { country, day, tier } = tables((await service.get('/api/v1/stats')).json);
        const exact = await query(service.dir,
            'SELECT country, COUNT(tag) AS n FROM submission WHERE tag IS NOT NULL GROUP BY country');
        assert.deepEqual(country, Object.fromEntries(exact.map((row) => [row.country, row.n])));
        assert.deepEqual(Object.entries(tier).filter(([, n]) => n), [['unconfirmed', 80]]);
        assert.equal(sum(day), 80);
        for (const lang of ['en', 'fr', 'km']) {
            const page = await service.get(`/${lang}/progress`);
            assert.ok(page.text.includes(String(count)));
        }
    } finally {
        await service.close();
    }
});

test('with count_step 10 the count moves in tens, behind the true one, and tables hide today', async () => {
    const service = await Service.create({ demo: false, settings: { publish_min: 1 } });
    try {
        let last = 0;
        for (let round = 1; round <= 5; round++) {
            const receipts = await parallel(9, 9, (i) => service.sign(signer(`${round}-${i}`)));
            await service.published(1 + Math.max(...receipts.map((receipt) => receipt.index)));
            const { count } = await service.count();
            const truth = round * 9;
            assert.equal(count % 10, 0);
            assert.ok(count >= last && count <= truth && truth - count < 20, `${count} of ${truth}`);
            last = count;
        }
        assert.ok(last >= 20);
        const { country, day, tier } = tables((await service.get('/api/v1/stats')).json);
        for (const table of [country, day])
            assert.equal(sum(table), 0, 'today is not shown');
        assert.ok(Object.values(tier).every((n) => n % 10 === 0));
    } finally {
        await service.close();
    }
});

test('entries are published in batches of publish_min', async () => {
    const service = await Service.create({ settings: { publish_min: 5 } });
    try {
        await parallel(4, 4, (i) => service.sign(signer(i)));
        await sleep(2500);
        assert.deepEqual(await service.count(), { count: 0, confirmed: 0, goal: 1_000_000, log_size: 1 });
        await service.sign(signer(5));
        assert.equal((await service.published(6)).count, 5);
    } finally {
        await service.close();
    }
});
