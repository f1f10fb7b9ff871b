// A backup that is older than the published log, brought up to it: what everybody has seen stays, what
// was withdrawn is erased, and what is lost is said.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { bearer, finished, order } from './bundles.mjs';
import { Service, bin, environment, petition, query, root, run, scratch, signer, sleep, until } from './harness.mjs';
import { keep, logOf } from './mirrors.mjs';

const BEFORE = 300; // submissions that the backup has
const BEHIND = 280; // and that it does not: over the end of a tile

let lostServer;
let backup;
let log; // as published when the server was lost
let checkpoint;
let receipts;
let delivered; // as the lost server listed it, and its bundles
let bundles;

before(async () => {
    lostServer = await Service.create();
    receipts = [];
    for (let i = 0; i < BEFORE; i++)
        receipts.push(await lostServer.sign(signer(i, { visibility: i % 2 ? 'public' : 'private' })));
    backup = path.join(scratch(), 'backup');
    await lostServer.succeed(['backup', backup]);
    await lostServer.withdraw(receipts[1].withdraw);
    await lostServer.succeed(['void', `${receipts[3].index}`, 'fraud']);
    for (let i = 0; i < BEHIND; i++)
        receipts.push(await lostServer.sign(signer(BEFORE + i)));
    await lostServer.withdraw(receipts[BEFORE].withdraw);
    const token = await lostServer.organiser();
    await finished(lostServer, token, await order(lostServer, token));
    [delivered] = (await lostServer.get('/api/v1/deliveries')).json.deliveries;
    bundles = readdirSync(lostServer.file('deliveries/1')).filter((name) => /^\d\d-/.test(name))
        .map((name) => lostServer.file(`deliveries/1/${name}`));
    log = await logOf(lostServer);
    checkpoint = await until(async () => {
        const { text } = await lostServer.get('/checkpoint');
        return text.split('\n')[1] === String(log.entries.length) && text;
    }, 'all is published', 30_000);
    await lostServer.kill9();
});
after(() => lostServer?.close());

const restore = (target, source) => petition(['restore', backup, '--key', lostServer.file('organiser.key'), '--data', target, '--log', source]);

test('the log goes on where it was; what was withdrawn or removed is erased; what is lost is voided', async () => {
    const target = path.join(scratch(), 'restored');
    const result = await restore(target, log.zip());
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, new RegExp(`2 submissions that the backup had are withdrawn or removed, and ${BEHIND - 1} are lost`));
    assert.equal(readFileSync(path.join(target, 'log.head'), 'utf8'), checkpoint);
    copyFileSync(lostServer.file('pepper.key'), path.join(target, 'pepper.key'));

    const service = await Service.create({ folder: target });
    try {
        const checked = await service.cli(['check']);
        assert.equal(checked.status, 0, checked.stdout);
        const gone = await query(target, `SELECT count(*) AS n FROM submission WHERE tag IS NOT NULL AND idx IN (${receipts[1].index}, ${receipts[3].index})`);
        assert.equal(gone[0].n, 0);
        assert.equal((await service.get('/api/v1/count')).json.count, BEFORE - 2);
        const bodies = (await logOf(service)).entries.map(String);
        assert.equal(bodies.filter((body) => body.endsWith('"why":"lost"}')).length, BEHIND - 1);
        assert.deepEqual(bodies.slice(0, log.entries.length), log.entries.map(String));

        const verified = await petition(['verify', keep('seen', checkpoint), service.origin]);
        assert.equal(verified.status, 0, verified.stderr);

        await service.withdraw(receipts[5].withdraw);
        const again = await service.sign(signer(BEFORE + 7));
        assert.equal(again.index, bodies.length + 1, 'whoever was lost can sign again');
        const token = await service.organiser('second');
        assert.equal(await order(service, token), 2, 'the number of a delivery is not used twice');
        await finished(service, token, 2);
        assert.equal((await service.cli(['check'])).status, 0);
    } finally {
        await service.close();
    }
});

for (const [what, sql] of [
    ['came after the backup', 'SELECT 1'],
    ['had only been asked for when the backup was made', "INSERT INTO delivery(id, organiser, state, requested_s) VALUES(1, 'anna', 'queued', 1)"],
]) test(`a delivery that ${what} is listed as the log has it, and its log.zip is made again`, async () => {
    const target = path.join(scratch(), 'restored');
    assert.equal((await restore(target, log.zip())).status, 0);
    copyFileSync(lostServer.file('pepper.key'), path.join(target, 'pepper.key'));
    assert.equal((await run('sqlite3', ['-batch', path.join(target, 'petition.db'), sql])).status, 0);
    const service = await Service.create({ folder: target });
    try {
        const list = async () => (await service.get('/api/v1/deliveries')).json.deliveries;
        const { delivery, log_size, root: hash, entry, manifests, log_zip } = delivered;
        const known = { delivery, log_size, root: hash, entry, manifests, log_zip };
        assert.equal(delivery, 1);
        assert.deepEqual(await list(), [known]);

        const { body } = await until(async () => {
            const answer = await service.get(log_zip);
            return answer.status === 200 && answer;
        }, 'log.zip is made');
        const zip = keep('log.zip', body);
        assert.equal(bundles.length, 19);
        const verified = await petition(['verify', ...bundles, zip]);
        assert.equal(verified.status, 0, verified.stderr);
        assert.match(verified.stdout, /\nOK\n$/);

        const token = await service.organiser();
        await finished(service, token, await order(service, token));
        const [first, second, ...more] = await list();
        assert.deepEqual([first, more], [known, []]);
        assert.equal(second.delivery, 2);
        assert.deepEqual(second.handovers, []);
        assert.equal(second.signatures, BEFORE - 2);
        await service.stop();
        await service.start();
        assert.deepEqual(await list(), [first, second]);
    } finally {
        await service.close();
    }
});

test('a log as old as the backup, or older, adds nothing', async () => {
    const target = path.join(scratch(), 'restored');
    const result = await restore(target, log.zip(200));
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /Of the log 0 entries were added/);
});

test('another log, a forged one, or none is refused with one line, and nothing is left', async () => {
    const other = await Service.create();
    const forged = await logOf(lostServer);
    forged.entries[2] = Buffer.from(String(forged.entries[2]).replace(/"c":"./, '"c":"_'));
    try {
        for (const source of [(await logOf(other)).zip(), forged.zip(), path.join(scratch(), 'none'), backup]) {
            const target = path.join(scratch(), 'restored');
            const result = await restore(target, source);
            assert.equal(result.status, 1, result.stderr);
            assert.match(result.stderr, /^petition: [^\n]+\n$/);
            assert.deepEqual(readdirSync(path.dirname(target)), []);
        }
    } finally {
        await other.close();
    }
});

test('killed in the middle: the folder is not there, or whole, and the next one succeeds', async () => {
    const source = log.zip();
    const args = (target) => ['restore', backup, '--key', lostServer.file('organiser.key'), '--data', target, '--log', source];
    const first = path.join(scratch(), 'restored');
    const began = performance.now();
    assert.equal((await petition(args(first))).status, 0);
    const takes = performance.now() - began;

    const target = path.join(scratch(), 'restored');
    let killed = 0;
    for (let tenth = 1; tenth < 10; tenth++) {
        const child = spawn(bin, args(target), { cwd: root, env: environment(), stdio: 'ignore' });
        const ended = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)));
        await sleep(takes * tenth / 10);
        child.kill('SIGKILL');
        if (await ended !== 'SIGKILL')
            break; // it was faster than the first
        killed++;
        if (existsSync(target)) { // renamed: then it is whole
            assert.equal(readFileSync(path.join(target, 'log.head'), 'utf8'), checkpoint);
            break;
        }
    }
    assert.ok(killed > 0);
    if (!existsSync(target))
        assert.equal((await petition(args(target))).status, 0);
    assert.deepEqual(readdirSync(path.dirname(target)), ['restored'], 'no draft is left');
    const checked = await petition(['check', '--data', target]);
    assert.doesNotMatch(checked.stdout, /^error +\S*(petition\.db|log\.)/m);
});

test('a log that was closed after the backup is refused: its groups cannot be had from the older tags', async () => {
    const closed = await Service.create();
    try {
        await closed.sign(signer('before'));
        const older = path.join(scratch(), 'backup');
        await closed.succeed(['backup', older]);
        await closed.succeed(['close', '--yes']);
        const { length } = (await logOf(closed)).entries;
        assert.equal(length, 3, 'open, sign, close');
        const target = path.join(scratch(), 'restored');
        const result = await petition(['restore', older, '--key', closed.file('organiser.key'), '--data', target, '--log', (await logOf(closed)).zip()]);
        assert.equal(result.status, 1);
        assert.match(result.stderr, /^petition: [^\n]*closed after the backup was made: restore a later backup\n$/);
        assert.deepEqual(readdirSync(path.dirname(target)), []);
    } finally {
        await closed.close();
    }
});
