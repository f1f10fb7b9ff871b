// Signing, by form and by API: what is answered, and that the answer tells nothing about who signed.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Service, findWithdrawCode, parallel, signer, withdrawCode } from './harness.mjs';

const SHORT_CODE = /^\d+-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/;
const WITHDRAW_CODE = /^\d+-[0-9A-HJKMNP-TV-Z]{27}$/;

let service;
before(async () => {
    service = await Service.create();
});
after(() => service?.close());

test('a form is answered 303 to a thank-you page that shows both codes', async () => {
    for (const lang of ['en', 'fr', 'km']) {
        const answer = await service.form(`/${lang}/sign`,
            signer(`form-${lang}`, { visibility: 'private', updates: '' }));
        assert.equal(answer.status, 303, answer.text);
        assert.match(answer.headers.location, new RegExp(`^/${lang}/thanks/[A-Za-z0-9_-]+$`));
        const page = await service.get(answer.headers.location);
        assert.equal(page.status, 200);
        assert.match(page.text, new RegExp(`<html[^>]* lang="${lang}"`));
        assert.match(page.text, /\d+-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}/);
        assert.match(findWithdrawCode(page.text) ?? '', WITHDRAW_CODE);
        assert.match(page.headers['cache-control'], /no-store/);
    }
});

test('the thank-you page names neither the signer nor the contact', async () => {
    const answer = await service.form('/en/sign',
        signer('page', { name: 'Quillon Vexley', contact: 'quillon.vexley@example.org', visibility: 'public' }));
    const page = await service.get(answer.headers.location);
    assert.ok(!/quillon|vexley/i.test(page.text + answer.headers.location));
});

test('an altered thank-you link shows no code and is no error of the server', async () => {
    const { headers } = await service.form('/en/sign', signer('altered', { visibility: 'private' }));
    const link = headers.location;
    const at = link.length - 8;
    const altered = link.slice(0, at) + (link[at] === 'A' ? 'B' : 'A') + link.slice(at + 1);
    for (const target of [altered, '/en/thanks/AAAA', `${link}AAAA`, link.slice(0, -4)]) {
        const page = await service.get(target);
        assert.ok(page.status >= 400 && page.status < 500, `${target}: ${page.status}`);
        assert.equal(findWithdrawCode(page.text), undefined);
    }
});

test('the API answers 202 with a receipt of code, withdrawal code and index', async () => {
    const answer = await service.json('/api/v1/signatures', signer('api'));
    assert.equal(answer.status, 202);
    assert.equal(answer.type, 'application/json');
    const { receipt } = answer.json;
    assert.deepEqual(Object.keys(answer.json), ['receipt']);
    assert.deepEqual(Object.keys(receipt).sort(), ['code', 'index', 'withdraw']);
    assert.match(receipt.code, SHORT_CODE);
    assert.match(receipt.withdraw, WITHDRAW_CODE);
    assert.ok(Number.isSafeInteger(receipt.index) && receipt.index > 0);
    assert.ok(receipt.code.startsWith(`${receipt.index}-`));
    assert.ok(receipt.withdraw.startsWith(`${receipt.index}-`));
});

test('the withdrawal code is the seed in Crockford digits with a Luhn check', async () => {
    const seed = randomBytes(16);
    const receipt = await service.sign(signer('seeded', { seed: seed.toString('base64') }));
    assert.equal(receipt.withdraw, withdrawCode(receipt.index, seed));
});

test('a retry with the same seed gets the same index and codes', async () => {
    const fields = signer('retry', { seed: randomBytes(16).toString('base64'), visibility: 'public' });
    const first = await service.sign(fields);
    const again = await parallel(5, 5, () => service.sign(fields));
    for (const receipt of again)
        assert.deepEqual(receipt, first);
    const other = await service.sign({ ...fields, visibility: 'private' });
    assert.notEqual(other.index, first.index, 'a different form is a new submission');
    const form = await service.form('/en/sign', { ...fields, updates: '' });
    const page = await service.get(form.headers.location);
    assert.equal(findWithdrawCode(page.text), first.withdraw, 'the form retries the API call');
});

test('spellings of one contact are one signature, and each has its own receipt', async () => {
    const fresh = await Service.create();
    try {
        const spellings = ['Sok.San+petition@Gmail.com', 'soksan@googlemail.com', ' SOKSAN@GMAIL.COM '];
        const receipts = [];
        for (const contact of spellings)
            receipts.push(await fresh.sign(signer(0, { contact })));
        for (const [contact, country] of [['012 345 678', 'KH'], ['+855 12 345 678', 'FR'], ['០១២៣៤៥៦៧៨', 'KH']])
            receipts.push(await fresh.sign(signer(0, { contact, country })));
        assert.equal(new Set(receipts.map((receipt) => receipt.index)).size, receipts.length);
        const count = await fresh.published(receipts.length + 1);
        assert.equal(count.count, 2);
    } finally {
        await fresh.close();
    }
});

test('signing again gets the same kind of answer as signing first', async () => {
    const fresh = await Service.create();
    try {
        // Entries 1 to 8: every index has one digit, so every length must agree.
        const fields = signer(1, { visibility: 'public' });
        const api = [];
        for (const more of [{}, {}, { name: 'Another Name' }, { contact: 'signer-2@example.org' }])
            api.push(await fresh.json('/api/v1/signatures', { ...fields, ...more }));
        for (const answer of api) {
            assert.equal(answer.status, 202);
            assert.equal(answer.body.length, api[0].body.length);
            assert.deepEqual(answer.names, api[0].names);
        }
        assert.equal(new Set(api.map((answer) => answer.json.receipt.index)).size, api.length);
        const forms = [];
        for (const contact of [fields.contact, fields.contact, 'signer-3@example.org'])
            forms.push(await fresh.form('/km/sign', { ...fields, contact }));
        for (const answer of forms) {
            assert.equal(answer.status, 303);
            assert.equal(answer.headers.location.length, forms[0].headers.location.length);
            assert.equal(answer.body.length, forms[0].body.length);
            assert.deepEqual(answer.names, forms[0].names);
        }
        const count = await fresh.published(api.length + forms.length + 1);
        assert.equal(count.count, 3);
    } finally {
        await fresh.close();
    }
});

test('one contact sent over 50 connections at once counts once', async () => {
    const fresh = await Service.create();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
    try {
        await parallel(50, 50, () => fresh.get('/healthz', {}, { agent }));
        const answers = await parallel(50, 50, (i) => fresh.json('/api/v1/signatures',
            signer(0, { name: `Name ${i}` }), {}, { agent }));
        assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [202]);
        assert.equal(new Set(answers.map((answer) => answer.json.receipt.index)).size, 50);
        assert.equal((await fresh.published(51)).count, 1);
    } finally {
        agent.destroy();
        await fresh.close();
    }
});

test('every way of saying yes or no to updates is understood', async () => {
    for (const updates of ['', '1', 'on', 'yes', 'true'])
        assert.equal((await service.form('/fr/sign', signer('updates', { visibility: 'private', updates }))).status, 303);
    const without = signer('updates', { visibility: 'private' });
    assert.equal((await service.form('/fr/sign', without)).status, 303);
    assert.equal((await service.form('/fr/sign', { ...without, updates: 'maybe' })).status, 422);
});

test('receipts and thank-you links outlive a restart', async () => {
    const fresh = await Service.create();
    try {
        const { headers } = await fresh.form('/en/sign', signer(1, { visibility: 'private' }));
        const before = await fresh.get(headers.location);
        await fresh.restart();
        const afterwards = await fresh.get(headers.location);
        assert.equal(afterwards.status, 200);
        assert.equal(findWithdrawCode(afterwards.text), findWithdrawCode(before.text));
        assert.equal((await fresh.count()).count, 1);
    } finally {
        await fresh.close();
    }
});
