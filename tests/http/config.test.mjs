// Starting with something wrong: one clear line on standard error, 2 for mistakes in the
// configuration or the command line, 1 for what went wrong at run time. And nothing is created or
// changed by the attempt.

import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';

import { Service, freePort, petition, run, scratch, signer, succeed } from './harness.mjs';

async function initialised() {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    return dir;
}

async function refuses(args, status, { settings, says, stdin } = {}) {
    const result = await petition(args, { settings, stdin, ms: 15_000 });
    const shown = `petition ${args.join(' ')}: ${result.status} ${result.signal} ${result.stderr}`;
    assert.equal(result.signal, null, shown);
    assert.ok([status].flat().includes(result.status), shown);
    assert.equal(result.stderr.trim().split('\n').length, 1, shown);
    assert.equal(result.stdout, '', shown);
    if (says)
        assert.match(result.stderr, says);
    return result;
}

const serve = async (dir) => ['serve', '--data', dir, '--listen', `127.0.0.1:${await freePort()}`];

test('an unknown key in the file is named, exit 2', async () => {
    const dir = await initialised();
    appendFileSync(path.join(dir, 'petition.conf'), '\nlisten_on = 1\n');
    await refuses(await serve(dir), 2, { says: /listen_on/ });
});

test('a line that is no setting is refused, exit 2', async () => {
    const dir = await initialised();
    appendFileSync(path.join(dir, 'petition.conf'), '\nlisten\n');
    await refuses(await serve(dir), 2, { says: /petition\.conf/ });
});

test('a value out of range or of the wrong kind is refused, in the file and in the environment, exit 2', async () => {
    const dir = await initialised();
    for (const [key, value] of Object.entries({ publish_every: 'soon', publish_min: '-1', count_step: '0', queue_limit: '1e3',
        petition_open: 'maybe', log_level: 'loud', threads: '100000', base_url: 'petition.example', confirmation: 'sms' })) {
        await refuses(await serve(dir), 2, { settings: { [key]: value }, says: new RegExp(key, 'i') });
        const file = path.join(scratch(), 'other.conf');
        writeFileSync(file, `${key} = ${value}\n`);
        await refuses([...await serve(dir), '--config', file], 2, { says: new RegExp(key) });
    }
});

test('a configuration file that is not there is refused', async () => {
    const dir = await initialised();
    await refuses([...await serve(dir), '--config', path.join(dir, 'no.conf')], [1, 2], { says: /no\.conf/ });
});

test('an unknown variable is one warning, not an error', async () => {
    const service = await Service.create({ settings: { publish_evry: 1 } });
    await service.close();
    assert.equal(service.stderr.match(/PETITION_PUBLISH_EVRY/g)?.length, 1);
});

test('a listen address that is none is refused, exit 2', async () => {
    const dir = await initialised();
    for (const listen of ['127.0.0.1', '127.0.0.1:x', '127.0.0.1:70000', ':', 'nowhere', 'unix:', '[::1', '999.1.1.1:80'])
        await refuses(['serve', '--data', dir, '--listen', listen], 2);
});

test('a taken port is refused, exit 1', async () => {
    const dir = await initialised();
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    await refuses(['serve', '--data', dir, '--listen', `127.0.0.1:${taken.address().port}`], 1);
    taken.close();
});

test('a folder that is not initialised is refused and stays as it is', async () => {
    const empty = scratch();
    await refuses(await serve(empty), 1);
    assert.deepEqual(readdirSync(empty), []);
    const none = path.join(empty, 'none');
    await refuses(await serve(none), 1);
    assert.ok(!existsSync(none), 'serve makes no folder');
    for (const command of [['token', 'admin'], ['export', path.join(empty, 'x')], ['deliver', '--out', empty]])
        await refuses([...command, '--data', none], 1);
    assert.ok(!existsSync(none));
});

test('init changes nothing in an initialised folder, exit 1', async () => {
    const dir = await initialised();
    const list = readdirSync(dir);
    await refuses(['init', '--data', dir], 1);
    assert.deepEqual(readdirSync(dir), list);
});

test('a missing key or pepper is refused and named', async () => {
    for (const key of ['pepper', 'minisign']) {
        const dir = await initialised();
        rmSync(path.join(dir, `${key}.key`));
        await refuses(await serve(dir), [1, 2], { says: new RegExp(key) });
        assert.ok(!existsSync(path.join(dir, `${key}.key`)), 'none is made silently');
    }
    const dir = await initialised();
    await refuses(await serve(dir), [1, 2], { settings: { pepper_file: '/nonexistent/pepper' }, says: /pepper/ });
    writeFileSync(path.join(dir, 'pepper.key'), 'rubbish\n');
    await refuses(await serve(dir), [1, 2], { says: /pepper/ });
});

test('serving needs no organiser key', async () => {
    const dir = await initialised();
    rmSync(path.join(dir, 'organiser.key'));
    const service = await Service.create({ folder: dir });
    await service.sign(signer(1));
    await service.close();
});

test('a missing database is refused, and none is made', async () => {
    const dir = await initialised();
    rmSync(path.join(dir, 'petition.db'));
    await refuses(await serve(dir), 1, { says: /petition\.db/ });
    assert.ok(!existsSync(path.join(dir, 'petition.db')));
});

test('a database of a newer version, or of another program, is refused, exit 1', async () => {
    for (const [pragma, says] of [['user_version = 99', /newer|version/], ['application_id = 7', /petition/]]) {
        const dir = await initialised();
        const changed = await run('sqlite3', [path.join(dir, 'petition.db'), `PRAGMA ${pragma};`]);
        assert.equal(changed.status, 0, changed.stderr);
        await refuses(await serve(dir), 1, { says });
    }
    const dir = await initialised();
    writeFileSync(path.join(dir, 'petition.db'), 'this is no database, but it is long enough to look like one\n'.repeat(200));
    await refuses(await serve(dir), 1);
});

test('a second server on the same folder is refused, exit 1, and the first goes on', async () => {
    const service = await Service.create();
    try {
        await refuses(await serve(service.dir), 1);
        await service.sign(signer(1));
    } finally {
        await service.close();
    }
});

test('a stale control socket is replaced', async () => {
    const service = await Service.create();
    try {
        await service.kill9();
        assert.ok(existsSync(service.file('control.sock')));
        await service.start();
        await service.succeed(['organiser', 'add', 'admin'], { stdin: 'a long enough password\n' });
    } finally {
        await service.close();
    }
});

test('a folder of public content with a mistake is refused and the file named', async () => {
    const dir = await initialised();
    await refuses([...await serve(dir), '--public', scratch()], [1, 2], { says: /public|addressees|petition-test/ });
});

test('usage errors exit 2, help and version exit 0', async () => {
    for (const args of [[], ['frobnicate'], ['serve', 'extra'], ['serve', '--no-such-flag'], ['token'], ['withdraw'],
        ['organiser'], ['organiser', 'add'], ['organiser', 'remove', 'x'], ['export'], ['deliver'], ['open', '--key'], ['--data']]) {
        const result = await petition(args);
        assert.equal(result.status, 2, `petition ${args.join(' ')}: ${result.stderr}`);
        assert.notEqual(result.stderr, '');
    }
    for (const args of [['help'], ['version'], ['--help'], ['--version']]) {
        const result = await petition(args);
        assert.equal(result.status, 0, args[0]);
        assert.notEqual(result.stdout, '');
        assert.equal(result.stderr, '');
    }
    assert.match(await succeed(['version']), /\d+\.\d+\.\d+/);
});

test('the folder is 0700 and its keys are 0600', async () => {
    const service = await Service.create();
    try {
        await service.sign(signer(1));
        const mode = (name) => statSync(path.join(service.dir, name)).mode & 0o777;
        assert.equal(mode('.'), 0o700);
        for (const name of readdirSync(service.dir).filter((file) => file.endsWith('.key')))
            assert.equal(mode(name), 0o600, name);
        for (const name of ['petition.db', 'control.sock'])
            assert.equal(mode(name) & 0o077, 0, name);
    } finally {
        await service.close();
    }
});

test('a unix socket is listened on and a stale one replaced', async () => {
    const socket = path.join(scratch(), 'http.sock');
    const service = new Service(await initialised(), {}, socket);
    for (let i = 0; i < 2; i++) {
        await service.start();
        await service.sign(signer(i));
        await service.kill9();
        assert.ok(existsSync(socket));
    }
    await service.start();
    await service.close();
});
