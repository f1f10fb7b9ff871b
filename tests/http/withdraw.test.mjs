// Withdrawing: what is answered to right, used, unknown and mistyped codes, what the count does, and
// that what was stored of the signer is gone from the disk.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Service, exported, query, signer, until } from './harness.mjs';

let service;
before(async () => {
    service = await Service.create();
});
after(() => service?.close());

/** The code with another last digit, so that its check is wrong. */
const mistyped = (code) => code.slice(0, -1) + (code.endsWith('Z') ? 'Y' : 'Z');
/** The code of another index: its check is right, but nobody has it. */
const foreign = (code, index) => code.replace(/^\d+/, index);

const onDisk = (folder, needle) => ['petition.db', 'petition.db-wal']
    .map((name) => `${folder}/${name}`)
    .some((file) => existsSync(file) && readFileSync(file).includes(needle));

test('a right code is answered 200 the first time and ever after, and the count follows', async () => {
    const { withdraw, index } = await service.sign(signer('once'));
    await service.published(index + 1);
    const before_ = (await service.count()).count;
    for (let i = 0; i < 3; i++) {
        const answer = await service.withdraw(withdraw);
        assert.equal(answer.status, 200, answer.text);
        assert.deepEqual(answer.json, { withdrawn: index });
    }
    const { count, log_size: size } = await service.published(index + 2);
    assert.equal(count, before_ - 1);
    const again = await service.sign(signer('more'));
    assert.equal(again.index, size, 'a used code appends nothing');
});

test('a withdrawal of one of two submissions leaves the signature', async () => {
    const first = await service.sign(signer('twice'));
    const second = await service.sign(signer('twice', { name: 'Another Name' }));
    const { count } = await service.published(second.index + 1);
    const one = await service.withdraw(first.withdraw);
    const after_ = await service.published(second.index + 2);
    assert.equal(after_.count, count);
    const two = await service.withdraw(second.withdraw);
    assert.equal((await service.published(second.index + 3)).count, count - 1);
    assert.equal(one.status, two.status);
    assert.deepEqual(one.names, two.names);
    assert.equal(one.body.length, two.body.length, 'the answer does not tell whether it was the last one');
});

test('case, spaces, hyphens and look-alike letters do not matter', async () => {
    const spell = [(code) => code.toLowerCase(), (code) => ` ${code} `,
        (code) => code.replace(/(-?[0-9A-Z]{4})/g, '$1 '),
        (code) => code.replace(/-(.*)/, (_, digits) => `-${digits.replace(/0/g, 'o').replace(/1/g, 'L')}`),
        (code) => code.replace(/-(.*)/, (_, digits) => `-${digits.match(/.{1,5}/g).join('-')}`)];
    for (const [i, change] of spell.entries()) {
        const { withdraw, index } = await service.sign(signer(`spell-${i}`));
        const answer = await service.withdraw(change(withdraw));
        assert.equal(answer.status, 200, change(withdraw));
        assert.equal(answer.json.withdrawn, index);
    }
});

test('an unknown code is 404, a mistyped one 422', async () => {
    const { withdraw, index } = await service.sign(signer('codes'));
    for (const other of [0, index - 1, index + 1, index + 1000, '2147483648']) {
        const answer = await service.withdraw(foreign(withdraw, other));
        assert.equal(answer.status, 404, `index ${other}: ${answer.text}`);
        assert.equal(answer.type, 'application/problem+json');
    }
    for (const code of [mistyped(withdraw), withdraw.slice(0, -1), `${withdraw}0`, '', '1-', 'x', `${index}`,
        withdraw.replace('-', '-U'), foreign(withdraw, '-1'), foreign(withdraw, ''), foreign(withdraw, '1'.repeat(40)),
        'Z'.repeat(4000)]) {
        const answer = await service.withdraw(code);
        assert.equal(answer.status, 422, `${code}: ${answer.text}`);
        assert.equal(answer.type, 'application/problem+json');
    }
    for (const body of [{}, { code: 1 }, { code: withdraw, more: 1 }])
        assert.equal((await service.json('/api/v1/withdraw', body)).status, 422, JSON.stringify(body));
    assert.equal((await service.json('/api/v1/withdraw', '{')).status, 400);
    assert.equal((await service.withdraw(withdraw)).status, 200, 'none of them did harm');
});

test('the form answers in the language of the page: done, unknown, mistyped, empty', async () => {
    for (const lang of ['en', 'fr', 'km']) {
        const { withdraw, index } = await service.sign(signer(`page-${lang}`));
        const post = (code) => service.form(`/${lang}/withdraw`, { code });
        for (const [code, status] of [['', 422], [mistyped(withdraw), 422], [foreign(withdraw, index + 500), 404],
            [withdraw, 200], [withdraw, 200]]) {
            const page = await post(code);
            assert.equal(page.status, status, `${lang} ${code}`);
            assert.equal(page.type, 'text/html');
            assert.match(page.text, new RegExp(`<html[^>]* lang="${lang}"`));
            assert.ok(!page.text.includes(withdraw.split('-')[1]) || status !== 200, 'a used code is not shown again');
        }
    }
});

test('the public entry of a withdrawal opens the secret that the sign entry committed to', async () => {
    const { withdraw, index } = await service.sign(signer('entry'));
    await service.withdraw(withdraw);
    const rows = await query(service.dir, 'SELECT idx, CAST(body AS TEXT) AS body FROM log_entry');
    const sign = rows.find((row) => row.idx === index).body;
    const wd = rows.map((row) => row.body).find((body) => body.includes('"t":"wd"') && JSON.parse(body).i === index);
    assert.equal(sign.length, 120);
    const w = createHash('sha256').update('petition-withdraw/v1\n').update(Buffer.from(JSON.parse(wd).s, 'base64'));
    assert.equal(w.digest('base64'), JSON.parse(sign).w);
});

test('60 seconds after a withdrawal the name is on the disk nowhere', async () => {
    const name = 'Ermintrude Quackenbush';
    const fresh = await Service.create();
    try {
        const others = [];
        for (let i = 0; i < 20; i++)
            others.push(await fresh.sign(signer(i, { visibility: 'public' })));
        const { withdraw } = await fresh.sign(signer('gone', { name, visibility: 'public' }));
        for (let i = 20; i < 40; i++)
            await fresh.sign(signer(i, { visibility: 'public' }));
        assert.ok(onDisk(fresh.dir, name), 'the search finds it while it is there');
        assert.equal((await fresh.withdraw(withdraw)).status, 200);
        await until(() => !onDisk(fresh.dir, name), 'the name is erased', 65_000, 500);
        await fresh.stop();
        assert.ok(!onDisk(fresh.dir, name));
        assert.ok(onDisk(fresh.dir, 'Signer 39'), 'the others are still there');
        const [{ live }] = await query(fresh.dir, 'SELECT live FROM totals');
        assert.equal(live, 40);
    } finally {
        await fresh.close();
    }
});

test('petition withdraw does the same with and without a running server', async () => {
    const fresh = await Service.create();
    try {
        const receipts = [];
        for (let i = 0; i < 3; i++)
            receipts.push(await fresh.sign(signer(i)));
        const running = await fresh.cli(['withdraw', receipts[0].withdraw]);
        assert.equal(running.status, 0, running.stderr);
        assert.equal((await fresh.published(5)).count, 2, 'the running server shows it');
        await fresh.stop();
        const stopped = await fresh.cli(['withdraw', receipts[1].withdraw]);
        assert.equal(stopped.status, 0, stopped.stderr);
        assert.equal((await fresh.cli(['withdraw', receipts[1].withdraw])).status, 0, 'again');
        const left = await exported(fresh.dir);
        assert.deepEqual(left.map((row) => row.index), [receipts[2].index]);
        await fresh.start();
        assert.equal((await fresh.count()).count, 1);
        for (const code of [foreign(receipts[0].withdraw, 77), mistyped(receipts[2].withdraw)]) {
            const wrong = await fresh.cli(['withdraw', code]);
            assert.notEqual(wrong.status, 0);
            assert.equal(wrong.stderr.trim().split('\n').length, 1, wrong.stderr);
            assert.equal(wrong.stdout, '');
        }
    } finally {
        await fresh.close();
    }
});
