// What organisers do: log-in names, tokens, exports, and opening them with the key that the server
// does not have.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, bin, petition, query, run, scratch, signer } from './harness.mjs';

const PASSWORD = 'a long enough password';

let service;
let token;
before(async () => {
    service = await Service.create();
    token = await service.organiser();
});
after(() => service?.close());

const bearer = (value = token) => ({ authorization: `Bearer ${value}` });

async function fails(result) {
    const { status, stdout, stderr } = await result;
    assert.equal(status, 1, stderr);
    assert.equal(stdout, '');
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
    assert.ok(!stderr.includes(PASSWORD));
}

test('organiser add refuses a name that exists, a short, a long and no password', async () => {
    await service.succeed(['organiser', 'add', 'second'], { stdin: `${PASSWORD}\n` });
    await fails(service.cli(['organiser', 'add', 'second'], { stdin: `${PASSWORD}\n` }));
    for (const stdin of ['elevenchars\n', '\n', '', `${'x'.repeat(129)}\n`])
        await fails(service.cli(['organiser', 'add', 'third'], { stdin }));
    await fails(service.cli(['token', 'third']));
    await service.succeed(['organiser', 'add', 'twelve'], { stdin: 'twelve chars\n' });
    await service.succeed(['organiser', 'add', 'longest'], { stdin: `${'x'.repeat(128)}\n` });
});

test('organiser passwd needs a name that exists and a good password', async () => {
    await service.succeed(['organiser', 'passwd', 'admin'], { stdin: 'another good password\n' });
    await fails(service.cli(['organiser', 'passwd', 'nobody'], { stdin: `${PASSWORD}\n` }));
    await fails(service.cli(['organiser', 'passwd', 'admin'], { stdin: 'short\n' }));
});

test('organisers and tokens are made without a running server too', async () => {
    const quiet = await Service.create();
    await quiet.stop();
    const secret = await quiet.organiser('offline', PASSWORD);
    await quiet.start();
    try {
        const answer = await quiet.get('/api/v1/export/counts.csv', bearer(secret));
        assert.equal(answer.status, 200);
    } finally {
        await quiet.close();
    }
});

test('tokens and passwords are stored hashed only', async () => {
    for (const name of ['petition.db', 'petition.db-wal']) {
        if (!existsSync(service.file(name)))
            continue;
        const bytes = readFileSync(service.file(name));
        assert.ok(!bytes.includes(token), name);
        assert.ok(!bytes.includes(Buffer.from(token.replace(/-/g, '+').replace(/_/g, '/'), 'base64')) || token.length < 16);
        assert.ok(!bytes.includes('correct horse'), name);
    }
    const [{ password }] = await query(service.dir, "SELECT password FROM organiser WHERE name = 'admin'");
    assert.match(password, /^\$argon2id\$v=19\$m=65536,/);
});

test('every act is in the audit trail, hash-chained', async () => {
    const rows = await query(service.dir,
        'SELECT id, at_s, who, act, detail, LOWER(HEX(hash)) AS hash FROM audit ORDER BY id');
    assert.ok(rows.length >= 2);
    let previous = Buffer.alloc(32);
    for (const [i, row] of rows.entries()) {
        assert.equal(row.id, i + 1);
        const line = JSON.stringify({ id: row.id, at: row.at_s, who: row.who, act: row.act, detail: row.detail });
        const hash = createHash('sha256').update('petition-audit/v1\n').update(previous).update(line).digest();
        assert.equal(row.hash, hash.toString('hex'), line);
        previous = hash;
    }
    assert.ok(!JSON.stringify(rows).includes(token));
});

test('without a token, or with a wrong one, everything of the organisers is 401', async () => {
    const targets = [['POST', '/api/v1/deliveries'], ['GET', '/api/v1/deliveries/1'],
        ['GET', '/api/v1/deliveries/1/bundles/8.zip'], ['GET', '/api/v1/export/counts.csv'],
        ['GET', '/api/v1/export/sealed.jsonl']];
    const headers = [{}, bearer(''), bearer('x'), bearer(`${token}x`), bearer(token.slice(0, -1)), bearer('x'.repeat(3000)),
        { authorization: token }, { authorization: `Basic ${token}` }];
    for (const [method, target] of targets) {
        for (const header of headers) {
            const answer = await service.request(method, target,
                { headers: header, ...(method === 'POST' ? { body: '' } : {}) });
            assert.equal(answer.status, 401, `${method} ${target} ${JSON.stringify(header).slice(0, 80)}`);
            assert.equal(answer.type, 'application/problem+json');
            assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/);
        }
    }
});

test('counts.csv is exact: country, tier, day', async () => {
    const fresh = await Service.create({ settings: { count_step: 10, publish_min: 1000 } });
    try {
        const secret = await fresh.organiser();
        for (const [n, country] of ['KH', 'KH', 'FR', 'KH'].entries())
            await fresh.sign(signer(n, { country }));
        const answer = await fresh.get('/api/v1/export/counts.csv', bearer(secret));
        assert.equal(answer.status, 200);
        assert.equal(answer.type, 'text/csv');
        assert.match(answer.headers['cache-control'], /no-store/);
        const [head, ...rows] = answer.text.replace(/^\ufeff/, '').trim().split(/\r?\n/)
            .map((line) => line.replaceAll('"', '').split(','));
        assert.deepEqual(head.slice(0, 3), ['country', 'tier', 'day']);
        const today = new Date().toISOString().slice(0, 10);
        assert.deepEqual(rows.sort(), [['FR', 'unconfirmed', today, '1'], ['KH', 'unconfirmed', today, '3']]);
    } finally {
        await fresh.close();
    }
});

const TYPED = [
    { name: 'សុខ សាន', contact: ' 012 345 678 ', country: 'KH', visibility: 'private', lang: 'km' },
    { name: '=1+1', contact: 'Formula+Tag@Example.org', country: 'FR', visibility: 'public', updates: true, lang: 'fr' },
    { name: 'O"Brien, "Jr"', contact: 'x@example.org', country: 'US', visibility: 'addressees' },
    { name: 'ខ'.repeat(200), contact: 'long@example.org', country: 'AU' },
];

test('export and open give back what was typed, on a machine that has only the key and the file', async () => {
    const fresh = await Service.create();
    try {
        const receipts = [];
        for (const fields of TYPED)
            receipts.push(await fresh.sign(fields));
        const gone = await fresh.sign(signer('gone'));
        await fresh.withdraw(gone.withdraw);

        const elsewhere = scratch();
        const file = path.join(elsewhere, 'sealed.jsonl');
        await fresh.succeed(['export', file]);
        const rows = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
        assert.deepEqual(rows.map((row) => row.index), receipts.map((receipt) => receipt.index));
        for (const row of rows) {
            assert.deepEqual(Object.keys(row), ['index', 'tier', 'sealed']);
            assert.equal(row.tier, 'unconfirmed');
            assert.ok([384 + 52, 1408 + 52].includes(Buffer.from(row.sealed, 'base64').length));
        }
        assert.ok(!/example|012 345|12345678|Brien|សុខ|ខខ/.test(readFileSync(file, 'utf8')));

        const web = await fresh.get('/api/v1/export/sealed.jsonl', bearer(await fresh.organiser()));
        assert.equal(web.status, 200);
        assert.equal(web.text, readFileSync(file, 'utf8'));

        await fresh.stop();
        const offline = path.join(elsewhere, 'offline.jsonl');
        await fresh.succeed(['export', offline]);
        assert.equal(readFileSync(offline, 'utf8'), readFileSync(file, 'utf8'), 'the same without a server');

        mkdirSync(path.join(elsewhere, 'bin'));
        copyFileSync(bin, path.join(elsewhere, 'bin/petition'));
        copyFileSync(fresh.file('organiser.key'), path.join(elsewhere, 'organiser.key'));
        const opened = await run(path.join(elsewhere, 'bin/petition'),
            ['open', '--key', 'organiser.key', 'sealed.jsonl'], { cwd: elsewhere });
        assert.equal(opened.status, 0, opened.stderr);
        for (const { name, contact } of TYPED.slice(0, 1).concat(TYPED.slice(3)))
            assert.ok(opened.stdout.includes(name) && opened.stdout.includes(contact.trim()), name);
        assert.ok(opened.stdout.includes('Formula+Tag@Example.org'), 'as typed, not as canonicalised');
        assert.ok(opened.stdout.includes('"O""Brien, ""Jr"""'), 'quoted as RFC 4180 says');
        assert.ok(opened.stdout.includes(`"'=1+1"`), 'no live formula');
        assert.ok(!opened.stdout.includes('signer-gone'));
        assert.equal(opened.stdout.replace(/^\ufeff/, '').trim().split('\r\n').length, TYPED.length + 1);
    } finally {
        await fresh.close();
    }
});

test('a wrong key, a changed record and a file that is no export get one clear line', async () => {
    const fresh = await Service.create();
    try {
        await fresh.sign(signer(1));
        const folder = scratch();
        const file = path.join(folder, 'sealed.jsonl');
        await fresh.succeed(['export', file]);
        const key = fresh.file('organiser.key');
        await fails(petition(['open', '--key', service.file('organiser.key'), file]));
        await fails(petition(['open', '--key', fresh.file('pepper.key'), file]));
        await fails(petition(['open', '--key', path.join(folder, 'none.key'), file]));
        await fails(petition(['open', '--key', key, path.join(folder, 'none.jsonl')]));
        await fails(petition(['open', '--key', key, fresh.file('petition.db')]));
        const row = JSON.parse(readFileSync(file, 'utf8'));
        const sealed = Buffer.from(row.sealed, 'base64');
        sealed[100] ^= 1;
        const changed = path.join(folder, 'changed.jsonl');
        writeFileSync(changed, `${JSON.stringify({ ...row, sealed: sealed.toString('base64') })}\n`);
        await fails(petition(['open', '--key', key, changed]));
    } finally {
        await fresh.close();
    }
});

test('an export into a folder that is not there fails with one line', async () => {
    await fails(service.cli(['export', '/nonexistent/folder/file']));
});
