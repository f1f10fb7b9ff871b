// Under a service manager: the socket it hands over, what it is told, and how long it waits. The
// manager is tests/http/supervisor.c; the units of deploy/ are judged by systemd's own tools.

import assert from 'node:assert/strict';
import { constants, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { before, test } from 'node:test';

import { believesForwarded } from './desk.mjs';
import { Service, bin, exported, freePort, petition, root, run, scratch, signer, sleep, succeed,
    until } from './harness.mjs';

const deploy = (name) => path.join(root, 'deploy', name);
let supervisor;

before(async () => {
    supervisor = path.join(scratch(), 'supervisor');
    const built = await run('cc', ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-o', supervisor,
        path.join(root, 'tests/http/supervisor.c')]);
    assert.equal(built.status, 0, built.stderr);
});

/** A service whose program is started by the supervisor with a socket in its hand. */
async function supervised({ settings = {}, options = [], socket } = {}) {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    const service = new Service(dir, settings, socket);
    const start = service.start;
    service.start = async () => {
        service.port ||= await freePort();
        await start.call(service, { wrap: [supervisor, ...options,
            ...(socket ? ['--unix', socket] : ['--tcp', String(service.port)]), '--'] });
    };
    service.said = (what) => service.stderr.split('\n').filter((line) => line.includes(what)).length;
    await service.start();
    return service;
}

// ---- the socket

test('an inherited socket is served, over TCP and unix, and listen is ignored with one line', async () => {
    for (const socket of [undefined, path.join(scratch(), 'handed.sock')]) {
        const service = await supervised({ socket });
        // The program was told to listen there, too; it could not have bound it.
        await service.sign(signer(1));
        assert.equal((await service.get('/en')).status, 200);
        const program = /supervisor: started (\d+)/.exec(service.stderr)[1];
        const flags = parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/${program}/fdinfo/3`, 'utf8'))[1], 8);
        assert.ok(flags & constants.O_NONBLOCK && flags & 0o2000000, 'non-blocking, closed on exec');
        await service.close();
        assert.equal(service.said('the setting listen is ignored'), 1, service.stderr);
        assert.equal(service.said('listening on'), 1, service.stderr);
        if (socket)
            assert.ok(existsSync(socket), 'a socket that is not ours is not removed');
    }
});

test('X-Forwarded-For is believed over an inherited Unix socket, and over an inherited TCP one from trusted proxies', async () => {
    for (const [socket, settings, believed] of [[path.join(scratch(), 'handed.sock'), {}, true], [undefined, {}, false],
        [undefined, { trusted_proxies: '127.0.0.1' }, true]]) {
        const service = await supervised({ socket, settings });
        try {
            assert.equal(await believesForwarded(service), believed, socket ?? JSON.stringify(settings));
        } finally {
            await service.close();
        }
    }
});

test('what is handed to another process, or nothing, changes nothing', async () => {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    for (const wrap of [['env', 'LISTEN_PID=1', 'LISTEN_FDS=1'], ['env', 'LISTEN_PID=x', 'LISTEN_FDS=1'],
        ['env', 'LISTEN_FDS=1'], ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=0 exec "$@"', 'sh']]) {
        const service = new Service(dir);
        await service.start({ wrap });
        await service.close();
        assert.match(service.stderr, /listening on http:\/\/127/);
    }
});

test('something else handed over, or several sockets: refused with one line, nothing half done', async () => {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    const serve = [bin, 'serve', '--data', dir, '--listen', `127.0.0.1:${await freePort()}`];
    const refused = async (shell) => {
        const end = await run('sh', ['-c', shell, 'sh', ...serve], { ms: 15_000 });
        assert.equal(end.status, 1, end.stderr);
        assert.match(end.stderr, /^petition: LISTEN_FDS[^\n]+\n$/);
    };
    await refused('LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3</dev/null');
    await refused('LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&-');
    await refused('LISTEN_PID=$$ LISTEN_FDS=many exec "$@"');
    const two = await run(supervisor, ['--tcp', String(await freePort()), '--fds', '2', '--', ...serve], { ms: 15_000 });
    assert.equal(two.status, 1, two.stderr);
    assert.match(two.stderr, /petition: LISTEN_FDS[^\n]+one/);
});

test('systemd\'s own socket activation starts it at the first connection', async () => {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    const service = new Service(dir);
    service.port = await freePort();
    await service.start({ wrap: ['systemd-socket-activate', '--listen', `127.0.0.1:${service.port}`] });
    await service.sign(signer(1));
    await service.close();
    assert.match(service.stderr, /the setting listen is ignored/);
});

test('restarts under load: no request fails, whoever connects meanwhile waits', async () => {
    const service = await supervised({ settings: { publish_every: 1 } });
    const failures = [];
    const acknowledged = [];
    let asked = 0;
    let stopped = false;
    const ask = async (worker, agent) => {
        for (let n = 0; !stopped; n++) {
            const signing = n % 2 === 0;
            try {
                const answer = signing
                    ? await service.json('/api/v1/signatures', signer(`${worker}-${n}`), {}, { agent })
                    : await service.get(n % 4 === 1 ? '/km' : '/healthz', {}, { agent });
                asked++;
                if (answer.status !== (signing ? 202 : 200))
                    failures.push(`${answer.status}`);
                else if (signing)
                    acknowledged.push(answer.json.receipt);
            } catch (error) {
                failures.push(`${worker}-${n}: ${error.message}`);
            }
        }
    };
    const kept = new http.Agent({ keepAlive: true, maxSockets: 4 });
    const workers = [0, 1, 2, 3].map((i) => ask(`new-${i}`, false))
        .concat([0, 1, 2, 3].map((i) => ask(`kept-${i}`, kept)));
    for (let round = 1; round <= 4; round++) {
        await sleep(700);
        const before = asked;
        process.kill(service.pid, 'SIGHUP');
        await until(() => service.said('supervisor: started') === round + 1, 'it is started again');
        await until(() => asked > before + 20, 'it answers again');
    }
    stopped = true;
    await Promise.all(workers);
    kept.destroy();
    assert.deepEqual(failures, []);
    assert.ok(acknowledged.length > 100, `there was load: ${acknowledged.length}`);
    assert.equal(service.said('supervisor: ended 0'), 4, service.stderr);
    await service.close();
    const stored = new Set((await exported(service.dir)).map((row) => row.index));
    assert.deepEqual(acknowledged.filter((receipt) => !stored.has(receipt.index)), []);
});

test('a connection that has brought no request when SIGTERM comes is still answered', async () => {
    const service = await supervised();
    const late = new Promise((resolve, reject) => {
        const rq = http.request({ host: '127.0.0.1', port: service.port, path: '/healthz', agent: false }, resolve);
        rq.once('error', reject);
        rq.once('socket', (socket) => socket.once('connect', () => {
            setTimeout(() => process.kill(service.pid, 'SIGHUP'), 100);
            setTimeout(() => rq.end(), 400);
        }));
    });
    const answer = await late;
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers.connection, 'close');
    answer.resume();
    await until(() => service.said('supervisor: started') === 2, 'it is started again');
    await until(() => service.said('notify READY=1') === 2, 'it is ready again');
    await service.close();
});

// ---- what it says

test('READY=1 once it answers, STOPPING=1 at SIGTERM, in that order and once, on both kinds of socket', async () => {
    for (const options of [[], ['--abstract']]) {
        const service = await supervised({ options });
        await until(() => service.said('notify READY=1'), 'READY=1');
        assert.equal(service.said('WATCHDOG'), 0, 'nobody asked for pings');
        await service.close();
        assert.deepEqual(service.stderr.match(/notify .*/g), ['notify READY=1', 'notify STOPPING=1']);
    }
});

test('READY=1 does not come before the service can be used', async () => {
    // The socket listens from the beginning: what it answers first is an answer of the ready service.
    const service = await supervised();
    const answer = await service.get('/readyz');
    assert.equal(answer.status, 200);
    await service.close();
});

test('a service that cannot start is not ready', async () => {
    const dir = path.join(scratch(), 'nothing');
    const end = await run(supervisor, ['--tcp', String(await freePort()), '--', bin, 'serve', '--data', dir], { ms: 15_000 });
    assert.equal(end.status, 1);
    assert.ok(!end.stderr.includes('READY'), end.stderr);
});

test('pings come three times in the watchdog\'s patience, each after a commit', async () => {
    const metrics = await freePort();
    const service = await supervised({ options: ['--watchdog', '900000'],
        settings: { metrics_listen: `127.0.0.1:${metrics}`, publish_every: 3600 } });
    const commits = async () => {
        const answer = await fetch(`http://127.0.0.1:${metrics}/metrics`);
        return Number(/^petition_writer_commit_seconds_count (\d+)$/m.exec(await answer.text())[1]);
    };
    await until(() => service.said('notify WATCHDOG=1') >= 2, 'the first pings');
    const before = { pings: service.said('notify WATCHDOG=1'), commits: await commits() };
    await until(() => service.said('notify WATCHDOG=1') >= before.pings + 3, 'three more pings', 3000);
    assert.ok(await commits() >= before.commits + 2, 'each stands for a commit');
    await service.close();
});

test('an unusable NOTIFY_SOCKET is one warning', async () => {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    for (const name of ['relative/path', `/${'x'.repeat(200)}`]) {
        const service = new Service(dir);
        await service.start({ wrap: ['env', `NOTIFY_SOCKET=${name}`] });
        assert.equal(service.stderr.match(/NOTIFY_SOCKET/g)?.length, 1);
        await service.close();
    }
});

// ---- the units

test('the unit is exposed at most 1.5, by systemd\'s own judgement', async () => {
    // The threshold is in tenths: a unit above it makes the program fail.
    const judged = await run('systemd-analyze', ['security', '--offline=true', '--threshold=15', '--no-pager',
        deploy('petition.service')]);
    assert.equal(judged.status, 0, judged.stdout + judged.stderr);
    const exposure = Number(/exposure level for petition\.service: ([\d.]+)/.exec(judged.stdout)?.[1]);
    assert.ok(exposure > 0 && exposure <= 1.5, judged.stdout);
});

test('systemd finds nothing to complain about in the units', async () => {
    const folder = scratch();
    // The program as the unit names it, but where it is.
    const unit = readFileSync(deploy('petition.service'), 'utf8').replace('ExecStart=petition', `ExecStart=${bin}`);
    writeFileSync(path.join(folder, 'petition.service'), unit);
    symlinkSync(deploy('petition.socket'), path.join(folder, 'petition.socket'));
    const verified = await run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no',
        path.join(folder, 'petition.service'), path.join(folder, 'petition.socket')]);
    assert.equal(verified.stderr.trim(), '');
    assert.equal(verified.status, 0);
});

test('the user that the unit names is made by the sysusers file', async () => {
    const made = scratch();
    mkdirSync(path.join(made, 'etc'));
    const result = await run('systemd-sysusers', [`--root=${made}`, deploy('petition.sysusers')]);
    assert.equal(result.status, 0, result.stderr);
    const user = /^User=(\S+)$/m.exec(readFileSync(deploy('petition.service'), 'utf8'))[1];
    assert.match(readFileSync(path.join(made, 'etc/passwd'), 'utf8'), new RegExp(`^${user}:`, 'm'));
});

test('what the unit gives is what the program takes: pepper as a credential, run key outside of the data', async () => {
    const unit = readFileSync(deploy('petition.service'), 'utf8');
    const credentials = scratch();
    const runtime = scratch();
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    const [, name] = /^LoadCredential=(\w+):/m.exec(unit);
    const [, variable, value] = /^Environment=(\w+)=(%d\/\S+)$/m.exec(unit);
    assert.equal(value, `%d/${name}`);
    const moved = await run('mv', [path.join(dir, 'pepper.key'), path.join(credentials, name)]);
    assert.equal(moved.status, 0);
    const refused = await petition(['serve', '--data', dir, '--listen', `127.0.0.1:${await freePort()}`]);
    assert.match(refused.stderr, /pepper\.key is missing/);
    const service = new Service(dir);
    await service.start({ wrap: ['env', `${variable}=${value.replace('%d', credentials)}`, `RUNTIME_DIRECTORY=${runtime}`] });
    await service.sign(signer(1));
    await service.close();
    assert.equal(statSync(path.join(runtime, 'run.key')).mode & 0o777, 0o600);
    assert.ok(!existsSync(path.join(dir, 'run')), 'no run key beside the data');
});
