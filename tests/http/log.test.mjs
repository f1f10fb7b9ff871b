// The public log as others read it: exactly the specified paths, types and caching; accepted by tools
// that share no code with the server; and never behind or beside anything that was published.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, environment, load, petition, root, run, scratch, signer, sleep } from './harness.mjs';

const { verifyMerkleInclusion } = createRequire(import.meta.url)('@sigstore/verify/dist/tlog/merkle.js');

// ---- tools

let checklog;

before(async () => {
    checklog = path.join(scratch(), 'checklog');
    const built = await run('go', ['build', '-o', checklog, path.join(root, 'tests/interop/checklog.go')], {
        env: { ...environment(), GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: scratch(), GOFLAGS: '' },
    });
    assert.equal(built.status, 0, built.stderr);
});

const vkey = async (service) => (await service.get('/api/v1/petition')).json.log_vkey;

/** Everything that is served, by golang.org/x/mod: what it printed. */
async function go(service, older = []) {
    const file = path.join(scratch(), 'older');
    writeFileSync(file, older.map((note) => `${Buffer.byteLength(note)}\n${note}`).join(''));
    const result = await run(checklog, [await vkey(service), service.origin, file]);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
}

/** A checkpoint's parts, without verifying. */
function parse(note) {
    const [origin, size, base64] = note.split('\n');
    return { origin, size: Number(size), root: Buffer.from(base64, 'base64') };
}

/** The signature by Debian's openssl. */
async function openssl(note, key) {
    const folder = scratch();
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
    const public_key = Buffer.from(key.split('+').slice(2).join('+'), 'base64').subarray(1);
    const signature = Buffer.from(note.trimEnd().split(' ').at(-1), 'base64').subarray(4);
    const put = (name, bytes) => {
        writeFileSync(path.join(folder, name), bytes);
        return path.join(folder, name);
    };
    return run('openssl', ['pkeyutl', '-verify', '-rawin', '-pubin', '-keyform', 'DER',
        '-inkey', put('key', Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), public_key])),
        '-in', put('text', text), '-sigfile', put('signature', signature)]);
}

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafHash = (entry) => sha256(Buffer.from([0]), entry);
const nodeHash = (left, right) => sha256(Buffer.from([1]), left, right);

const split = (n) => 2 ** Math.ceil(Math.log2(n) - 1);

function treeHash(leaves) {
    if (leaves.length === 1)
        return leaves[0];
    const k = split(leaves.length);
    return nodeHash(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

function inclusion(index, leaves) {
    if (leaves.length === 1)
        return [];
    const k = split(leaves.length);
    return index < k ? [...inclusion(index, leaves.slice(0, k)), treeHash(leaves.slice(k))]
        : [...inclusion(index - k, leaves.slice(k)), treeHash(leaves.slice(0, k))];
}

function entriesOf(bundle) {
    const entries = [];
    for (let at = 0; at < bundle.length;) {
        const length = bundle.readUInt16BE(at);
        entries.push(bundle.subarray(at + 2, at + 2 + length));
        at += 2 + length;
    }
    return entries;
}

/** Entries appended behind the server's back, while it is stopped: for sizes only. */
async function fill(service, size) {
    const result = await run('sqlite3', [service.file('petition.db'), `
        WITH RECURSIVE n(i) AS (SELECT ifnull(max(idx), 0) + 1 FROM log_entry UNION ALL SELECT i + 1 FROM n WHERE i < ${size - 1})
        INSERT INTO log_entry SELECT i, CAST('{"v":1,"t":"sign","c":"' || i || '"}' AS BLOB) FROM n WHERE i < ${size}`]);
    assert.equal(result.status, 0, result.stderr);
}

// ---- form

const IMMUTABLE = 'public, max-age=31536000, immutable';

let small; // nothing but what the start publishes is published here
after(() => small?.close());

test('the checkpoint, tiles and bundles have the specified types and caching, and any site may read them', async () => {
    small = await Service.create({ settings: { publish_min: 100_000, publish_every: 600 }, demo: false });
    for (let i = 0; i < 5; i++)
        await small.sign(signer(i));
    await small.restart(); // publishes 6 entries
    for (let i = 5; i < 9; i++)
        await small.sign(signer(i));

    const checkpoint = await small.get('/checkpoint');
    assert.equal(checkpoint.status, 200);
    assert.equal(checkpoint.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(checkpoint.headers['cache-control'], 'no-cache');
    assert.equal(checkpoint.headers['access-control-allow-origin'], '*');
    assert.equal(parse(checkpoint.text).size, 6);

    for (const target of ['/tile/0/000.p/6', '/tile/entries/000.p/6']) {
        for (let times = 0; times < 2; times++) { // made, and kept
            const tile = await small.get(target);
            assert.equal(tile.status, 200, target);
            assert.equal(tile.headers['content-type'], 'application/octet-stream');
            assert.equal(tile.headers['cache-control'], IMMUTABLE);
            assert.equal(tile.headers['access-control-allow-origin'], '*');
            assert.equal(tile.headers['content-encoding'], undefined);
            const head = await small.request('HEAD', target);
            assert.equal(head.status, 200);
            assert.equal(head.body.length, 0);
            assert.equal(head.headers['content-length'], String(tile.body.length));
        }
        assert.equal((await small.form(target, {})).status, 405);
    }
    for (const target of ['/en', '/api/v1/count', '/api/v1/petition', '/api/v1/text/en', '/nothing'])
        assert.equal((await small.get(target)).headers['access-control-allow-origin'], undefined, target);
});

test('a bundle holds the entries, a tile their hashes, and a partial tile is a prefix of the next', async () => {
    const entries = entriesOf((await small.get('/tile/entries/000.p/6')).body);
    assert.equal(entries.length, 6);
    assert.match(entries[0].toString(), /^\{"v":1,"t":"open","origin":"/);
    for (const entry of entries.slice(1))
        assert.match(entry.toString(), /^\{"v":1,"t":"sign","c":"[A-Za-z0-9+/]{43}=","w":"[A-Za-z0-9+/]{43}="\}$/);
    const leaves = entries.map(leafHash);
    for (let width = 1; width <= 6; width++) {
        assert.deepEqual((await small.get(`/tile/0/000.p/${width}`)).body, Buffer.concat(leaves.slice(0, width)));
        assert.deepEqual(entriesOf((await small.get(`/tile/entries/000.p/${width}`)).body), entries.slice(0, width));
    }
    assert.deepEqual(parse((await small.get('/checkpoint')).text).root, treeHash(leaves));
});

test('nothing beyond the published size is served, and no path but the canonical one', async () => {
    assert.equal((await small.count()).log_size, 6);
    for (const target of ['0/000.p/7', '0/000.p/10', '0/000', '0/001', '0/001.p/1', '1/000', '1/000.p/1', '2/000',
        'entries/000.p/7', 'entries/000', 'entries/001.p/1', '0/x001/000.p/1',
        '', '0', '0/', '0/0', '0/00.p/6', '00/000.p/6', '0/0000.p/6', '0/x000/000.p/6', '0/000.p/06', '0/000.p/0',
        '0/000.p/256', '0/000.p/', '0/000.p/6/', '0/000.p', '0//000.p/6', '+0/000.p/6', '-1/000.p/6', '63/000.p/6',
        'data/000.p/6', 'entries/000.p/6/', 'Entries/000.p/6', '8/0/000.p/6', '0/000.p/6%20',
        `0/${'x999/'.repeat(30)}999`, `0/${'9'.repeat(5000)}`]) {
        const answer = await small.get(`/tile/${target}`);
        assert.equal(answer.status, 404, target);
    }
});

// ---- other people's tools

test('openssl and sigstore accept the checkpoint and a proof, and refuse what was changed', async () => {
    const note = (await small.get('/checkpoint')).text;
    const key = await vkey(small);
    assert.equal((await openssl(note, key)).status, 0);
    assert.notEqual((await openssl(note.replace('\n6\n', '\n7\n'), key)).status, 0);

    const entries = entriesOf((await small.get('/tile/entries/000.p/6')).body);
    const leaves = entries.map(leafHash);
    const { size, root: logHash } = parse(note);
    const checkpoint = { logSize: size, logHash };
    const entry = (index, body = entries[index]) => ({
        canonicalizedBody: body,
        inclusionProof: { logIndex: String(index), hashes: inclusion(index, leaves) },
    });
    for (let index = 0; index < size; index++)
        verifyMerkleInclusion(entry(index), checkpoint);
    assert.throws(() => verifyMerkleInclusion(entry(3, entries[4]), checkpoint));
});

test('golang.org/x/mod accepts every entry, tile and proof at the sizes where tiles fill', async () => {
    const service = await Service.create();
    const older = [];
    try {
        for (const size of [1, 2, 255, 256, 257, 1000, 65_535, 65_536, 65_537, 70_000]) {
            if (size > 1) {
                await service.stop();
                await fill(service, size);
                await service.start();
            }
            const note = (await service.get('/checkpoint')).text;
            assert.equal(parse(note).size, size);
            assert.match(await go(service, older), new RegExp(`^${size} entries, \\d+ tiles, ${older.length} older`));
            older.push(note);
        }
        // 273 + 1 full tiles, and the three partial ones in each of their widths: 112 + 17 + 1.
        assert.match(await go(service), /^70000 entries, 404 tiles/);
        // Tiles of every older size are prefixes of what there is now.
        const now = (await service.get('/tile/0/255')).body;
        assert.deepEqual((await service.get('/tile/0/255.p/255')).body, now.subarray(0, 255 * 32));
        assert.equal((await service.get('/tile/1/001.p/17')).body.length, 17 * 32);
        assert.equal((await service.get('/tile/1/001.p/18')).status, 404);
        assert.equal((await service.get('/tile/2/000.p/1')).body.length, 32);
    } finally {
        await service.close();
    }
});

test('after kill -9 in the middle of load the log is consistent with every checkpoint that was seen', async () => {
    const service = await Service.create({ settings: { publish_every: 1 } });
    const seen = new Map();
    try {
        for (let round = 0; round < 8; round++) {
            const running = load(service, { width: 8, fields: (n) => signer(`${round}-${n}`) });
            const end = Date.now() + 1200 + Math.random() * 900;
            while (Date.now() < end) {
                const answer = await service.get('/checkpoint');
                const { size } = parse(answer.text);
                assert.ok(!seen.has(size) || seen.get(size) === answer.text, 'a size is signed once');
                assert.ok(size >= Math.max(0, ...seen.keys()), 'the log never shrinks');
                seen.set(size, answer.text);
                await sleep(5);
            }
            await service.kill9();
            running.stop();
            await running.done;
            await service.start();
        }
        await service.sign(signer('last'));
        await service.published(Math.max(...seen.keys()) + 1);
        assert.ok(seen.size >= 8, `${seen.size} checkpoints`);
        assert.match(await go(service, [...seen.values()]), new RegExp(`, ${seen.size} older checkpoints`));
        const check = await service.cli(['check']);
        assert.match(check.stdout, /ok +.*checkpoints that follow from its entries/);
        assert.match(check.stdout, /ok +log\.head: the \d+ published entries are those of the database/);
    } finally {
        await service.close();
    }
});

// ---- what must not be served

test('a database older than log.head, or of another log, is refused with one clear line', async () => {
    const service = await Service.create();
    try {
        await service.sign(signer(1));
        await service.published(2);
        await service.stop();
        const old = service.copy();
        await service.start();
        await service.sign(signer(2));
        await service.published(3);
        await service.stop();

        cpSync(service.file('log.head'), path.join(old, 'log.head'));
        for (const command of [['serve', '--listen', '127.0.0.1:0'], ['void', '1', 'test']]) {
            const result = await petition([...command, '--data', old]);
            assert.equal(result.status, 1);
            assert.match(result.stderr, /^.*log\.head: 3 entries of the log have been published, and the database has only 2: it is older than its log\n$/);
        }
        const check = await petition(['check', '--data', old]);
        assert.equal(check.status, 1);
        assert.match(check.stdout, /error +.*log\.head: 3 entries/);

        // Another third entry: the same size, another root.
        const fork = new Service(old);
        await fill(fork, 3);
        const result = await petition(['serve', '--listen', '127.0.0.1:0', '--data', old]);
        assert.equal(result.status, 1);
        assert.match(result.stderr, /log\.head: the database is not the log that was published/);
        await service.start(); // nothing is lost
    } finally {
        await service.close();
    }
});
