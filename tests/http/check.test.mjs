// `petition check`: what holds, what is worth a warning and what is wrong, one line each; beside a
// working server and without one.

import assert from 'node:assert/strict';
import { chmodSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, load, parallel, petition, run, scratch, signer, succeed } from './harness.mjs';

let service;
before(async () => {
    service = await Service.create({ settings: { mail: 'smtp://user:hunter2@mail.example' } });
    await service.organiser();
    const receipts = (await load(service, { width: 8, limit: 300, fields: (n) => signer(n % 250) }).done).acknowledged;
    for (const { withdraw } of receipts.slice(0, 5))
        await service.withdraw(withdraw);
});
after(() => service?.close());

/** {status, config: {key: value}, findings: [[level, text]]} of a check. */
async function check(folder, settings = service.settings) {
    const { status, stdout, stderr } = await petition(['check', '--data', folder], { settings });
    assert.equal(stderr, '');
    const [config, findings] = stdout.split('\n\n');
    return {
        status,
        stdout,
        config: Object.fromEntries(config.split('\n').slice(1).map((line) => line.split(/ = ?/))),
        findings: findings.trim().split('\n').map((line) => /^(ok|warning|error) +(\S.*)$/.exec(line).slice(1)),
    };
}

/** Runs SQL on the stopped database of a folder. */
async function damage(folder, sql) {
    const result = await run('sqlite3', ['-batch', path.join(folder, 'petition.db'), sql]);
    assert.equal(result.status, 0, result.stderr);
}

const texts = (result, level) => result.findings.filter(([l]) => l === level).map(([, text]) => text);

function assertFinding(result, level, words) {
    assert.ok(texts(result, level).some((text) => words.test(text)), `${level} ${words} in:\n${result.stdout}`);
}

test('a sound folder: every claim is found to hold, exit 0, with a server and without', async () => {
    const copy = service.copy();
    for (const folder of [service.dir, copy]) {
        const result = await check(folder);
        assert.equal(result.status, 0, result.stdout);
        assert.deepEqual(texts(result, 'error'), []);
        for (const words of [/integrity check/, /306 log entries, without a gap/,
            /sign entry of 120 bytes for each of its 300 submissions/,
            /2\d\d signatures, 295 live submissions, 5 withdrawn, 0 removed/,
            /audit trail of \d+ acts/, /log\.key is there/, /minisign\.key is there/, /pepper\.key is there/,
            /public content is whole/, /disk has \d+ MB left/])
            assertFinding(result, 'ok', words);
        assertFinding(result, 'warning', /organiser\.key is on this machine/);
        assertFinding(result, 'warning', /no backup yet/);
    }
});

test('the settings in force are printed, whatever they come from, and a password is not', async () => {
    const result = await check(service.dir);
    assert.equal(result.config.mail, '(set; not shown)');
    assert.ok(!result.stdout.includes('hunter2'));
    assert.equal(result.config.count_step, '1');
    assert.equal(result.config.publish_every, '1');
    assert.equal(result.config.listen, `127.0.0.1:${service.port}`, 'those of the server');
    const other = await check(service.copy(), { petition_open: 'no', threads: 3 });
    assert.equal(other.config.petition_open, 'no');
    assert.equal(other.config.threads, '3');
    assert.equal(other.config.mail, '');
});

test('the age of the last backup is told once there is one', async () => {
    await service.succeed(['backup', path.join(scratch(), 'backup')]);
    assertFinding(await check(service.dir), 'ok', /last backup is 0 hours old/);
    const copy = service.copy();
    await damage(copy, 'DROP TRIGGER audit_no_update; UPDATE audit SET at_s = at_s - 100000');
    assertFinding(await check(copy), 'warning', /last backup is 27 hours old/);
});

test('what is wrong is an error with its own line, and exit 1', async () => {
    const cases = [
        [(dir) => rmSync(path.join(dir, 'pepper.key')), /pepper\.key is missing/],
        [(dir) => writeFileSync(path.join(dir, 'pepper.key'), 'x'), /pepper\.key is not a key of the right kind/],
        [(dir) => rmSync(path.join(dir, 'minisign.key')), /minisign\.key is missing/],
        [async (dir) => {
            const other = path.join(scratch(), 'other');
            await succeed(['init', '--origin', 'other.example', '--data', other]);
            renameSync(path.join(other, 'log.key'), path.join(dir, 'log.key'));
        }, /log\.key is not the key of this log/],
        [(dir) => rmSync(path.join(dir, 'petition.db')), /petition\.db: No such file/],
        [(dir) => writeFileSync(path.join(dir, 'petition.db'), 'x'.repeat(10_000)), /petition\.db is not a petition database/],
        [(dir) => damage(dir, 'PRAGMA user_version = 99'), /schema version 99/],
        [(dir) => damage(dir, 'UPDATE totals SET live = live + 1'), /recount does not give: live submissions/],
        [(dir) => damage(dir, 'INSERT INTO signer_row VALUES(randomblob(16), 1, 0)'), /recount does not give: signatures by contact/],
        [(dir) => damage(dir, 'DELETE FROM submission WHERE idx = 20'), /0 submissions without .* 1 sign entries without/],
        [(dir) => damage(dir, "DROP TRIGGER audit_no_update; UPDATE audit SET who = 'x' WHERE id = 1"), /broken at row 1/],
    ];
    await parallel(cases.length, 3, async (i) => {
        const [spoil, words] = cases[i];
        const copy = service.copy();
        // The WAL goes into the file, so that what is spoilt is all there is.
        await damage(copy, 'PRAGMA wal_checkpoint(TRUNCATE)');
        await spoil(copy);
        const result = await check(copy);
        assert.equal(result.status, 1, result.stdout);
        assertFinding(result, 'error', words);
    });
    const none = await check(path.join(scratch(), 'none'));
    assert.equal(none.status, 1);
    assertFinding(none, 'error', /none: No such file/);
});

test('beside a server, a database too large for a minute is not read through by the integrity check, and that is said', async () => {
    const large = new Service(service.copy());
    await damage(large.dir, 'PRAGMA wal_checkpoint(TRUNCATE)');
    truncateSync(large.file('petition.db'), 3 * 2 ** 30); // a hole: it takes no room
    await large.start();
    try {
        const result = await check(large.dir, large.settings);
        assert.equal(result.status, 0, result.stdout);
        assertFinding(result, 'warning', /too large for the integrity check while the server runs/);
        assertFinding(result, 'ok', /counts what its rows give/);
    } finally {
        await large.close();
    }
});

test('a key or a folder that others can read is a warning', async () => {
    const copy = service.copy();
    chmodSync(copy, 0o755);
    chmodSync(path.join(copy, 'log.key'), 0o644);
    rmSync(path.join(copy, 'organiser.key'));
    const result = await check(copy);
    assert.equal(result.status, 0);
    assertFinding(result, 'warning', /is open to others: chmod 700/);
    assertFinding(result, 'warning', /log\.key can be read by others: chmod 600/);
    assertFinding(result, 'ok', /organisers' secret key is not in this directory/);
});

test('beside a check signing goes on, and the check leaves no snapshot behind', async () => {
    const running = load(service, { width: 4, fields: (n) => signer(`beside-${n}`) });
    for (let i = 0; i < 5; i++)
        assert.equal((await check(service.dir)).status, 0);
    running.stop();
    const { acknowledged, statuses } = await running.done;
    assert.deepEqual([...statuses], [202]);
    assert.ok(acknowledged.length > 50);
    assert.equal((await check(service.dir)).status, 0);
});
