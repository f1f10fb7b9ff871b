// The desk's overview: every exact figure, the bars and the tables, against what the test itself did.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { Desk, PASSWORD } from './desk.mjs';
import { parallel, query, run, scratch, signer, sleep, withService } from './harness.mjs';

const COUNTRIES = { KH: 'Cambodia', FR: 'France', US: 'United States' };
const MILESTONES = [100, 500, 1000];

const number = (text) => Number(text.replaceAll(',', ''));
const rowsOf = (html) => [...html.matchAll(/<tr><th scope="row">(.*?)<\/th><td>(.*?)<\/td><\/tr>/g)]
    .map(([, name, n]) => [name, number(n)]);

/** What the page shows: the big number, the milestone, a table for each caption, the bars and their table. */
async function overview(desk) {
    const { status, text } = await desk.get('/admin?lang=en');
    assert.equal(status, 200);
    const tables = [...text.matchAll(/<table>\n<caption>(.*?)<\/caption>([^]*?)<\/table>/g)]
        .map(([, caption, rows]) => [caption, Object.fromEntries(rowsOf(rows))]);
    return {
        signatures: number(/<p class="count"><strong>(.*?)<\/strong>/.exec(text)[1]),
        milestone: number(/Next milestone: ([\d,]+)/.exec(text)[1]),
        ...Object.fromEntries(tables),
        bars: [...text.matchAll(/<rect x="(\d+)" y="(\d+)" width="16" height="(\d+)"><title>(\d\d:00): (.*?)<\/title>/g)]
            .map(([, x, y, height, hour, n]) => ({ x: Number(x), y: Number(y), height: Number(height), hour, n: number(n) })),
        hours: rowsOf(/<details>([^]*?)<\/details>/.exec(text)?.[1] ?? ''),
    };
}

/** How many of `list` there are for each value of `key`. */
function tally(list, key) {
    const counts = {};
    for (const one of list)
        counts[key(one)] = (counts[key(one)] ?? 0) + 1;
    return counts;
}

/** What the page must show of the submissions, [{contact, country, tier, today, live, withdrawn, sinceStart}]. */
async function expected(service, all) {
    const live = all.filter((one) => one.live);
    const signatures = new Set(live.map((one) => one.contact)).size;
    const forms = all.filter((one) => one.sinceStart).length;
    const { count } = await service.count();
    assert.ok(count % 10 === 0 && Math.abs(signatures - count) < 20, `the public sees ${count} of ${signatures}`);
    const now = Math.floor(Date.now() / 3_600_000);
    const bars = Array.from({ length: 24 }, (_, i) => ({
        x: i * 20, y: i === 23 ? 0 : 120, height: i === 23 ? 120 : 0,
        hour: `${String((now - 23 + i) % 24).padStart(2, '0')}:00`, n: i === 23 ? forms : 0,
    }));
    return {
        signatures,
        milestone: MILESTONES.find((milestone) => milestone > signatures),
        'Exact figures': {
            'Confirmed signatures': new Set(live.filter((one) => one.tier === 'confirmed by e-mail').map((one) => one.contact)).size,
            'Submissions that count (forms and paper rows)': live.length,
            'Of these, repeats of the same e-mail address or phone number': live.length - signatures,
            'Withdrawn by the signers': all.filter((one) => one.withdrawn).length,
            'Removed by the organisers': all.filter((one) => !one.live && !one.withdrawn).length,
            'Submissions of today (UTC)': live.filter((one) => one.today).length,
            'Forms of the last 24 hours, since the start of the server': forms,
            'The public sees': count,
        },
        'Submissions by country': tally(live, (one) => COUNTRIES[one.country]),
        'Submissions by kind of confirmation': tally(live, (one) => one.tier),
        bars: forms ? bars : [],
        hours: forms ? bars.map(({ hour, n }) => [hour, n]) : [],
    };
}

test('the overview shows exactly what came in, was repeated, withdrawn and removed, while the public sees steps', async () => {
    // No hour and no day shall end in the middle.
    const left = 3_600_000 - Date.now() % 3_600_000;
    if (left < 60_000)
        await sleep(left);
    await withService({ settings: { count_step: 10, publish_min: 1 } }, async (service) => {
        await service.organiser('admin', PASSWORD);
        const all = [];
        const form = async (n, country, more = {}) => {
            const one = { contact: n, country, tier: 'not confirmed', today: true, live: true, sinceStart: true };
            all.push(one);
            one.receipt = await service.sign(signer(n, { country, ...more }));
            return one;
        };

        // One of yesterday, confirmed, which this version cannot do itself; from before the start of the server.
        const old = await form(0, 'FR');
        Object.assign(old, { tier: 'confirmed by e-mail', today: false, sinceStart: false });
        await service.stop();
        const changed = await run('sqlite3', ['-batch', service.file('petition.db'), `UPDATE submission SET tier = 0, day = day - 1;
            UPDATE tally SET tier = 0, day = day - 1; UPDATE totals SET confirmed = 1; UPDATE signer_row SET confirmed = 1`]);
        assert.equal(changed.status, 0, changed.stderr);
        await service.succeed(['check']);
        await service.start();
        let desk = await Desk.login(service);
        assert.deepEqual(await overview(desk), await expected(service, all), 'no form since the start');

        // Forms, some of them repeats of a contact; then rows of paper: new contacts, one known from a form, none at all.
        await parallel(88, 16, (i) => form(1 + i, ['KH', 'KH', 'FR'][i % 3]));
        const repeats = await parallel(7, 4, (i) => form(Math.max(0, i - 2), 'US', { name: `Again ${i}` }));
        const rows = ['name,contact,country,visibility'];
        const paper = (name, contact, country) => {
            rows.push(`${name},${typeof contact === 'number' ? signer(contact).contact : ''},${country},public`);
            all.push({ contact, country, tier: 'on paper', today: true, live: true, sinceStart: false, name });
        };
        for (let i = 0; i < 20; i++)
            paper(`Row ${i}`, [500 + i, 40, Symbol('no contact')][Math.min(i % 4, 2)], i % 2 ? 'KH' : 'US');
        const sheet = path.join(scratch(), 'sheet.csv');
        writeFileSync(sheet, rows.join('\n'));
        await service.succeed(['import', sheet]);
        let entries = 1 + all.length;
        await service.published(entries);
        const full = await expected(service, all);
        assert.deepEqual(await overview(desk), full);
        assert.equal(full.milestone, 500);

        // Withdrawn: a repeat, whose contact still counts, the confirmed one, whose contact signed again, and two others.
        for (const one of [repeats[4], old, all[10], all[11]]) {
            assert.equal((await service.withdraw(one.receipt.withdraw)).status, 200);
            Object.assign(one, { live: false, withdrawn: true });
        }
        // Removed: another repeat and two signatures at the desk; two rows by command, one of them without a contact.
        for (const [one, why] of [[repeats[5], 'duplicate'], [all[20], 'fraud'], [all[21], 'request']]) {
            assert.equal((await desk.post('/admin/void', { index: one.receipt.index, why })).status, 303);
            one.live = false;
        }
        for (const name of ['Row 2', 'Row 4']) {
            const [{ idx }] = await query(service.dir, `SELECT idx FROM submission WHERE name = '${name}'`);
            await service.succeed(['void', String(idx), 'test']);
            all.find((one) => one.name === name).live = false;
        }
        entries += 9;
        await service.published(entries);
        const fewer = await expected(service, all);
        assert.deepEqual(await overview(desk), fewer);
        assert.equal(fewer.signatures, full.signatures - 6);
        assert.equal(fewer.milestone, 100);

        // The hours are gone with a restart, nothing else is.
        await service.restart();
        for (const one of all)
            one.sinceStart = false;
        desk = await Desk.login(service);
        assert.deepEqual(await overview(desk), await expected(service, all));
    });
});
