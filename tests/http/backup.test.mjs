// Backups: made beside a working server or without one, sealed, and restored elsewhere to the same
// petition; killed in the middle, or wrong in any way, nothing half done is left.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { bearer, describe, finished, order } from './bundles.mjs';
import { Desk } from './desk.mjs';
import { Service, bin, exported, load, petition, query, root, scratch, signer, sleep, succeed } from './harness.mjs';

const SIGNERS = 6000; // the database takes some megabytes: a backup takes several steps

let service;
let receipts; // of all signers
before(async () => {
    service = await Service.create();
    await service.organiser();
    ({ acknowledged: receipts } = await load(service, {
        width: 32, limit: SIGNERS, fields: (n) => signer(n, { visibility: ['private', 'addressees', 'public'][n % 3] }),
    }).done);
    assert.equal(receipts.length, SIGNERS);
});
after(() => service?.close());

const key = () => service.file('organiser.key');

function restore(file, target, options = {}) {
    return petition(['restore', file, '--key', options.key ?? key(), '--data', target]);
}

async function restored(file) {
    const target = path.join(scratch(), 'restored');
    const result = await restore(file, target);
    assert.equal(result.status, 0, result.stderr);
    return target;
}

/** A refusal: exit 1, one line, and nothing at the target. */
async function refused(file, words, options = {}) {
    const target = path.join(scratch(), 'restored');
    const result = await restore(file, target, options);
    assert.equal(result.status, 1);
    assert.match(result.stderr, /^petition: [^\n]+\n$/);
    assert.match(result.stderr, words);
    assert.deepEqual(readdirSync(path.dirname(target)), []);
}

/** Files of the folder but for those that every database and server has. */
const names = (folder) => readdirSync(folder).filter((name) => !/^(petition\.db-(wal|shm)|control\.sock)$/.test(name)).sort();

const OUR_NAMES = ['log.head', 'log.key', 'minisign.key', 'organiser.key', 'pepper.key', 'petition.conf', 'petition.db', 'run'];

test('a backup under load, restored elsewhere, has every signature acknowledged before it began, and counts repeats', async () => {
    const running = load(service, { width: 8, fields: (n) => signer(`load-${n}`) });
    await sleep(300);
    const before = running.acknowledged.slice();
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    running.stop();
    const { acknowledged, statuses } = await running.done;
    assert.deepEqual([...statuses], [202], 'signing went on');
    assert.ok(before.length > 20 && acknowledged.length > before.length, `${before.length} of ${acknowledged.length}`);
    assert.equal(statSync(file).mode & 0o777, 0o600);

    const target = await restored(file);
    const stored = new Set((await exported(target)).map((row) => row.index));
    for (const { index } of [...receipts, ...before])
        assert.ok(stored.has(index), `${index} was acknowledged before`);

    copyFileSync(service.file('pepper.key'), path.join(target, 'pepper.key'));
    const check = await petition(['check', '--data', target]);
    assert.equal(check.status, 0, check.stdout);
    const copy = await Service.create({ folder: target });
    try {
        const start = await copy.count();
        assert.equal(start.count, stored.size, 'every contact signed once');
        const again = await copy.sign(signer(5, { name: 'The same again' }));
        const fresh = await copy.sign(signer('new'));
        assert.equal((await copy.published(Math.max(again.index, fresh.index) + 1)).count, start.count + 1,
            'a repeat is a repeat, a new one is new');
        const answer = await copy.withdraw(receipts[7].withdraw);
        assert.deepEqual([answer.status, answer.json], [200, { withdrawn: receipts[7].index }]);
        assert.equal((await copy.get('/api/v1/petition')).json.minisign_key,
            (await service.get('/api/v1/petition')).json.minisign_key);
    } finally {
        await copy.close();
    }
});

test('the same figures: what the copy counts is what the original counted', async () => {
    const file = path.join(scratch(), 'backup');
    await service.published((await service.sign(signer('last'))).index + 1);
    await service.succeed(['backup', file]);
    const target = await restored(file);
    for (const sql of ['SELECT * FROM totals', 'SELECT * FROM tally ORDER BY day, country, tier',
        'SELECT count(*), sum(live), sum(confirmed) FROM signer', 'SELECT count(*), max(idx) FROM log_entry']) {
        const rows = await query(service.dir, sql);
        assert.ok(rows.length > 0);
        assert.deepEqual(await query(target, sql), rows, sql);
    }
});

test('a backup has the keys of the log and of minisign and the settings, and neither pepper nor organiser key', async () => {
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    const target = await restored(file);
    assert.deepEqual(readdirSync(target).sort(), ['log.key', 'minisign.key', 'petition.conf', 'petition.db']);
    for (const name of ['log.key', 'minisign.key', 'petition.conf'])
        assert.deepEqual(readFileSync(path.join(target, name)), readFileSync(service.file(name)));
    assert.equal(statSync(target).mode & 0o777, 0o700);
    const sealed = readFileSync(file);
    assert.equal(sealed.subarray(0, 19).toString(), 'petition-backup/v1\n');
    for (const plain of ['SQLite format', 'PRIVATE+KEY', 'Signer 4', '"t":"sign"'])
        assert.equal(sealed.indexOf(plain), -1, plain);
    for (const name of ['pepper.key', 'organiser.key']) {
        const secret = Buffer.from(readFileSync(service.file(name), 'utf8').trim().split(' ')[1], 'base64');
        assert.equal(readFileSync(path.join(target, 'petition.db')).indexOf(secret), -1, name);
    }
});

test('without the pepper the restored folder is not served, and restore said so', async () => {
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    const target = path.join(scratch(), 'restored');
    const told = await restore(file, target);
    assert.equal(told.status, 0);
    assert.match(told.stderr, /from a backup made 0 d 0 h [01] min ago/);
    assert.match(told.stderr, /\d+ log entries/);
    assert.match(told.stderr, /since then is not in it/);
    assert.match(told.stderr, /its public log went on after the backup, do not serve this.*--log/);
    assert.doesNotMatch(told.stderr, /entries were added/);
    assert.match(told.stderr, /pepper.*in no backup/);
    const served = await petition(['serve', '--data', target, '--listen', '127.0.0.1:0']);
    assert.equal(served.status, 1);
    assert.match(served.stderr, /pepper\.key is missing\n$/);
    const check = await petition(['check', '--data', target]);
    assert.equal(check.status, 1);
    assert.match(check.stdout, /^error .*pepper\.key is missing$/m);
});

test('whoever was logged in when the backup was made is not logged in to what is restored', async () => {
    const desk = await Desk.login(service, 'admin', 'correct horse battery');
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    const sessions = async (folder) => (await query(folder, 'SELECT count(*) AS n FROM session'))[0].n;
    assert.ok(await sessions(service.dir) > 0);
    assert.equal((await desk.get('/admin')).status, 200);
    assert.equal(await sessions(await restored(file)), 0);
});

test('a backup is made without a server, too, and onto standard output', async () => {
    const folder = service.copy();
    const file = path.join(scratch(), 'backup');
    await succeed(['backup', file, '--data', folder]);
    assert.deepEqual(names(folder), OUR_NAMES);
    const target = await restored(file);
    assert.equal((await exported(target)).length, (await exported(folder)).length);
    const [{ acts }] = await query(folder, "SELECT count(*) AS acts FROM audit WHERE act = 'backup'");
    assert.ok(acts >= 1);

    const piped = path.join(scratch(), 'piped');
    writeFileSync(piped, '');
    for (const args of [['backup', '-', '--data', folder], ['backup', '-', '--data', service.dir]]) {
        const shell = await new Promise((resolve) => {
            const child = spawn('sh', ['-c', `exec "$@" > ${piped}`, 'sh', bin, ...args], { cwd: root, stdio: 'ignore' });
            child.once('close', resolve);
        });
        assert.equal(shell, 0);
        await restored(piped);
    }
});

test('a backup replaces the file of the last one whole, and is recorded in the audit trail', async () => {
    const file = path.join(scratch(), 'backup');
    const count = async () => (await query(service.dir, "SELECT count(*) AS n FROM audit WHERE act = 'backup'"))[0].n;
    const acts = await count();
    writeFileSync(file, 'the old one');
    await service.succeed(['backup', file]);
    await restored(file);
    assert.equal(await count(), acts + 1);
    // One that cannot be written is not recorded, and leaves nothing.
    const nowhere = await service.cli(['backup', path.join(scratch(), 'no', 'such', 'folder')]);
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.stderr, /^petition: [^\n]+No such file or directory\n$/);
    assert.equal(await count(), acts + 1);
});

test('two backups at once: one is made, the other is refused or comes after', async () => {
    const folder = scratch();
    const results = await Promise.all([1, 2, 3].map((n) => service.cli(['backup', path.join(folder, `${n}`)])));
    assert.ok(results.some(({ status }) => status === 0));
    for (const [i, { status, stderr }] of results.entries()) {
        if (status === 0) {
            await restored(path.join(folder, `${i + 1}`));
        } else {
            assert.match(stderr, /^petition: another backup is being made\n$/);
            assert.ok(!existsSync(path.join(folder, `${i + 1}`)));
        }
    }
    assert.deepEqual(readdirSync(folder).filter((name) => !/^[123]$/.test(name)), []);
});

test('the server killed in the middle of a backup: a whole file or none, no copy of the database, and the next one succeeds', async () => {
    let killed = 0;
    for (let attempt = 0; attempt < 12 && killed < 4; attempt++) {
        const folder = scratch();
        const file = path.join(folder, 'backup');
        const backup = service.cli(['backup', file]);
        await sleep(40 + attempt * 15);
        await service.kill9();
        const { status } = await backup;
        if (status !== 0) {
            killed++;
            // Behind the renaming, before the answer, the file is there and whole.
            const left = readdirSync(folder);
            assert.ok(left.length === 0 || (left.length === 1 && left[0] === 'backup'), left.join());
            if (left.length > 0)
                await restored(file);
        } else {
            await restored(file);
        }
        // Between the moments in which the copy gets its name and loses it again it is empty.
        const stale = service.file('backup.tmp');
        if (existsSync(stale))
            assert.equal(statSync(stale).size, 0);
        assert.deepEqual(names(service.dir).filter((name) => name !== 'backup.tmp'), OUR_NAMES);
        await service.start();
    }
    assert.ok(killed > 0, 'it was killed in the middle');
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    await restored(file);
    assert.deepEqual(names(service.dir), OUR_NAMES, 'the next backup takes an empty one away');
});

test('the command killed in the middle: the old file stays, the server goes on and makes the next one', async () => {
    const file = path.join(scratch(), 'backup');
    let killed = 0;
    await service.succeed(['backup', file]);
    for (let attempt = 0; attempt < 10; attempt++) {
        const child = spawn(bin, ['backup', file, '--data', service.dir], { cwd: root, stdio: 'ignore' });
        const ended = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)));
        await sleep(25 + attempt * 12);
        child.kill('SIGKILL');
        killed += (await ended) === 'SIGKILL';
        if (attempt % 3 === 0)
            await restored(file);
    }
    assert.ok(killed > 3);
    assert.equal((await service.get('/healthz')).status, 200);
    await sleep(500); // for the last one to be given up
    await service.succeed(['backup', file]);
    await restored(file);
    assert.deepEqual(readdirSync(path.dirname(file)), ['backup']);
    assert.deepEqual(names(service.dir), OUR_NAMES);
});

test('the server stopped in the middle of a backup ends in good order', async () => {
    const folder = scratch();
    const backup = service.cli(['backup', path.join(folder, 'backup')]);
    await sleep(60);
    assert.deepEqual(await service.stop(), { status: 0, signal: null });
    const { status, stderr } = await backup;
    if (status !== 0) {
        assert.match(stderr, /^petition: [^\n]+\n$/m);
        assert.deepEqual(readdirSync(folder), []);
    }
    await service.start();
});

test('killed in the middle of a restore: the folder is whole or not there, and the next restore succeeds', async () => {
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    let killed = 0;
    for (let attempt = 0; attempt < 12; attempt++) {
        const target = path.join(scratch(), 'restored');
        const child = spawn(bin, ['restore', file, '--key', key(), '--data', target], { cwd: root, stdio: 'ignore' });
        const ended = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)));
        await sleep(5 + attempt * 8);
        child.kill('SIGKILL');
        if (await ended !== 'SIGKILL')
            continue;
        killed++;
        if (!existsSync(target)) {
            const result = await restore(file, target);
            assert.equal(result.status, 0, result.stderr);
        }
        assert.deepEqual(readdirSync(path.dirname(target)), ['restored']);
        assert.deepEqual(readdirSync(target).sort(), ['log.key', 'minisign.key', 'petition.conf', 'petition.db']);
        assert.ok((await exported(target)).length >= SIGNERS);
    }
    assert.ok(killed > 2, 'it was killed in the middle');
});

test('a foreign, cut off, changed, newer or wrongly keyed file is refused with one line, and nothing is left', async () => {
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    const good = readFileSync(file);
    const bad = path.join(scratch(), 'bad');
    const refusedBytes = async (bytes, words) => {
        writeFileSync(bad, bytes);
        await refused(bad, words);
    };
    await refusedBytes('', /is not a backup of a petition/);
    await refusedBytes(readFileSync(service.file('petition.db')), /is not a backup of a petition/);
    await refusedBytes(Buffer.concat([Buffer.from('petition-backup/v2\n'), good.subarray(19)]), /made by a newer version/);
    for (const length of [18, 19, 60, 122, 123, 1000, 65_676, good.length >> 1, good.length - 1])
        await refusedBytes(good.subarray(0, length), length < 19 ? /not a backup/ : /cut off/);
    for (const at of [30, 110, 130, 70_000, good.length >> 1, good.length - 1]) {
        const changed = Buffer.from(good);
        changed[at] ^= 1;
        await refusedBytes(changed, /damaged/);
    }
    await refusedBytes(Buffer.concat([good, Buffer.from([0])]), /damaged/);
    const other = path.join(scratch(), 'other');
    await succeed(['init', '--data', other]);
    await refused(file, /cannot be opened with this key/, { key: path.join(other, 'organiser.key') });
    await refused(file, /is not a key of the right kind/, { key: service.file('pepper.key') });
    await refused(path.join(scratch(), 'none'), /No such file/);
});

test('restore refuses a folder that has a petition, is served, or is not empty', async () => {
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    const into = async (target, words) => {
        const was = existsSync(target) && names(target);
        const result = await restore(file, target);
        assert.equal(result.status, 1);
        assert.match(result.stderr, words);
        assert.match(result.stderr, /^petition: [^\n]+\n$/);
        assert.deepEqual(existsSync(target) && names(target), was);
    };
    await into(service.dir, /in use by another process/);
    const copy = service.copy();
    await into(copy, /has a petition\.db already/);
    rmSync(path.join(copy, 'petition.db'));
    await into(copy, /is not empty/);
    await into(path.join(scratch(), 'no', 'such'), /No such file or directory/);
    const empty = path.join(scratch(), 'empty');
    mkdirSync(empty);
    assert.equal((await restore(file, `${empty}/`)).status, 0);
    assert.equal((await service.get('/healthz')).status, 200);
});

test('a delivery made before is known to the restored server; its files are not there, and a new one can be made', async () => {
    const token = await service.token();
    const id = await order(service, token);
    await finished(service, token, id);
    const file = path.join(scratch(), 'backup');
    await service.succeed(['backup', file]);
    const target = await restored(file);
    copyFileSync(service.file('pepper.key'), path.join(target, 'pepper.key'));
    const copy = await Service.create({ folder: target });
    try {
        assert.equal((await describe(copy, token, id)).state, 'done');
        assert.equal((await copy.get(`/api/v1/deliveries/${id}/bundles/1.zip`, bearer(token))).status, 404);
        const next = await order(copy, token);
        assert.equal(next, id + 1);
        await finished(copy, token, next);
    } finally {
        await copy.close();
    }
});

test('usage: restore needs --key, backup and restore a file', async () => {
    for (const args of [['restore', 'x'], ['restore', '--key', 'x'], ['backup'], ['backup', 'a', 'b'], ['check', 'x'],
        ['backup', 'x', '--key', 'y']]) {
        const result = await petition([...args, '--data', path.join(scratch(), 'none')]);
        assert.equal(result.status, 2, args.join(' '));
        assert.match(result.stderr, /^petition: [^\n]+\n$/);
    }
});

test('a full disk: the backup fails with one line, and the server goes on', async () => {
    await service.stop();
    // Larger than the WAL will be, smaller than the copy.
    await service.start({ wrap: ['prlimit', '--fsize=2000000:unlimited'] });
    const folder = scratch();
    const result = await service.cli(['backup', path.join(folder, 'backup')]);
    assert.equal(result.status, 1);
    assert.match(result.stderr, /^petition: the database cannot be copied\n$/);
    assert.deepEqual(readdirSync(folder), []);
    assert.equal((await service.get('/en')).status, 200);
    await service.restart();
    await service.sign(signer('after-the-full-disk'));
});
