// Backup and restore where there is no room, and where the folder is not a plain one: a mount point, a
// symbolic link, the working directory. File systems of a given size are mounted in a namespace of
// the process under test; where that is not allowed, those tests are skipped.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, bin, environment, run, scratch, signer } from './harness.mjs';

const own = ['--mount', ...(process.getuid() === 0 ? [] : ['--map-root-user'])];
const skip = spawnSync('unshare', [...own, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status !== 0 && 'nothing can be mounted';

/** The beginning of a command line that runs the rest with `size` of tmpfs at `place`, where `from` is copied. */
const mounted = (place, size, from) => ['unshare', ...own, 'sh', '-c',
    'mount -t tmpfs -o size="$1",mode=700 none "$2" && { [ -z "$3" ] || cp -a "$3/." "$2"; } && shift 3 && exec "$@"', 'sh', size, place, from ?? ''];

let service;
let backup;
let key;
before(async () => {
    service = await Service.create();
    for (let i = 0; i < 20; i++)
        await service.sign(signer(i));
    backup = path.join(scratch(), 'backup');
    key = service.file('organiser.key');
    await service.succeed(['backup', backup]);
});
after(() => service?.close());

const spawned = ([program, ...args], more = {}) => run(program, args, { env: environment(), ...more });

function assertRefused(result, words) {
    assert.equal(result.status, 1, result.stderr);
    assert.match(result.stderr, /^petition: [^\n]+\n$/);
    assert.match(result.stderr, words);
}

test('without room for a copy of the database a backup is not begun, and the server goes on', { skip }, async () => {
    const place = path.join(scratch(), 'small');
    mkdirSync(place);
    const small = new Service(place);
    await small.start({ wrap: mounted(place, '30m', service.copy()) });
    const inside = (...line) => spawned(['nsenter', ...(process.getuid() === 0 ? [] : ['--user', '--preserve-credentials']), '--mount', '--target',
        String(small.pid), ...line]);
    const out = path.join(scratch(), 'backup');
    try {
        assertRefused(await inside(bin, 'backup', out, '--data', place), /small: a copy of the database needs \d+ MB of free space$/m);
        assert.deepEqual(readdirSync(path.dirname(out)), []);
        assert.doesNotMatch((await inside('ls', place)).stdout, /backup/, 'no copy is left');
        await small.sign(signer('goes-on'));
        assert.equal((await inside('mount', '-o', 'remount,size=300m', place)).status, 0);
        const made = await inside(bin, 'backup', out, '--data', place);
        assert.equal(made.status, 0, made.stderr);
        assert.ok(statSync(out).size > 0);
    } finally {
        await small.close();
    }
});

test('the same without a server', { skip }, async () => {
    const place = path.join(scratch(), 'small');
    mkdirSync(place);
    const out = path.join(scratch(), 'backup');
    assertRefused(await spawned([...mounted(place, '30m', service.copy()), bin, 'backup', out, '--data', place]), /a copy of the database needs \d+ MB/);
    assert.deepEqual(readdirSync(path.dirname(out)), []);
});

test('without room for what is in it a backup is not restored, and nothing is left', { skip }, async () => {
    const place = scratch();
    const line = [...mounted(place, '30m'), 'sh', '-c', '"$@"; echo $?; ls -A "$0"', place, bin, 'restore', backup, '--key', key,
        '--data', path.join(place, 'new')];
    const result = await spawned(line);
    assert.match(result.stderr, /^petition: [^\n]*new: restoring needs \d+ MB of free space\n$/);
    assert.equal(result.stdout, '1\n');
});

test('a mount point is refused with a hint, and left empty; a new folder in it is taken', { skip }, async () => {
    const parent = scratch();
    const place = path.join(parent, 'mounted');
    mkdirSync(place);
    const restore = (target) => spawned([...mounted(place, '400m'), 'sh', '-c', '"$@"; echo $?; ls -A "$0"', place, bin, 'restore', backup,
        '--key', key, '--data', target]);
    for (const target of [place, `${place}/`]) {
        const refused = await restore(target);
        assert.match(refused.stderr, /^petition: [^\n]*mounted is a mount point: restore into a new directory in it\n$/);
        assert.equal(refused.stdout, '1\n', 'nothing in it');
        assert.deepEqual(readdirSync(parent), ['mounted'], 'nor beside it');
    }
    const taken = await restore(path.join(place, 'new'));
    assert.equal(taken.stdout, '0\nnew\n', taken.stderr);
});

/** `petition restore` into `target`, which then serves what was backed up. */
async function assertRestored(target, cwd, real) {
    const result = await spawned([bin, 'restore', backup, '--key', key, '--data', target], { cwd });
    assert.equal(result.status, 0, result.stderr);
    assert.equal(statSync(real).mode & 0o777, 0o700);
    assert.ok(existsSync(path.join(real, 'petition.db')));
    assert.deepEqual(readdirSync(path.dirname(real)).filter((name) => name.endsWith('.restoring')), []);
    const restored = new Service(real, { pepper_file: service.file('pepper.key') });
    await restored.start();
    assert.equal((await restored.count()).count, 20);
    await restored.close();
}

test('a link to an empty folder is followed: the petition is there, and the link is still one', async () => {
    const real = path.join(scratch(), 'real');
    const link = path.join(scratch(), 'link');
    mkdirSync(real);
    symlinkSync(real, link);
    await assertRestored(link, undefined, real);
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.deepEqual(readdirSync(path.dirname(link)), ['link']);
    assertRefused(await spawned([bin, 'restore', backup, '--key', key, '--data', link]), /has a petition\.db already/);
});

test('a link to nothing is refused, and nothing is left', async () => {
    const folder = scratch();
    const link = path.join(folder, 'link');
    symlinkSync(path.join(folder, 'nothing'), link);
    assertRefused(await spawned([bin, 'restore', backup, '--key', key, '--data', link]), /link/);
    assert.deepEqual(readdirSync(folder), ['link']);
});

test('the empty working directory can be restored into', async () => {
    const real = path.join(scratch(), 'here');
    mkdirSync(real);
    await assertRestored('.', real, real);
});
