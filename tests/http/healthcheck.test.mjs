// `petition healthcheck`: what a container's supervisor asks.

import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';

import { Service, freePort, petition, scratch } from './harness.mjs';

/** healthcheck in an empty folder: the address comes from the environment alone. */
const healthcheck = (listen) => petition(['healthcheck', '--data', scratch()], { settings: { listen } });

/** A server that is no petition: `answer(socket)` for each connection. */
async function stranger(answer, work) {
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        answer(socket);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
        return await work(`127.0.0.1:${server.address().port}`);
    } finally {
        server.close();
    }
}

test('healthcheck is 0 for a server that can take a signature, on a port and on a unix socket', async () => {
    const service = await Service.create();
    try {
        // The wildcard address, on which a container listens, is this machine too.
        for (const listen of [`127.0.0.1:${service.port}`, `0.0.0.0:${service.port}`]) {
            const result = await healthcheck(listen);
            assert.deepEqual([result.status, result.stdout, result.stderr], [0, 'ready\n', '']);
        }
    } finally {
        await service.close();
    }
    const local = new Service(service.dir, {}, path.join(scratch(), 'http.sock'));
    await local.start();
    try {
        assert.equal((await healthcheck(`unix:${local.socket}`)).status, 0);
    } finally {
        await local.close();
    }
    assert.equal((await healthcheck(`unix:${local.socket}`)).status, 1, 'after its end');
});

test('healthcheck is 1, with one line, when nobody answers, or something else does', async () => {
    const refused = async (listen, says) => {
        const result = await healthcheck(listen);
        assert.equal(result.status, 1, result.stderr);
        assert.match(result.stderr, says);
        assert.equal(result.stderr.trimEnd().split('\n').length, 1);
        assert.equal(result.stdout, '');
    };
    await refused(`127.0.0.1:${await freePort()}`, /cannot connect/);
    await refused(`unix:${path.join(scratch(), 'none.sock')}`, /cannot connect/);
    await refused(`unix:/${'x'.repeat(200)}`, /cannot connect/);
    await stranger((socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'),
        (listen) => refused(listen, /not ready: it answers 503/));
    await stranger((socket) => socket.end('SSH-2'), (listen) => refused(listen, /does not answer/));
    await stranger((socket) => socket.end(), (listen) => refused(listen, /does not answer/));
});

test('healthcheck does not wait for ever', async () => {
    const started = Date.now();
    await stranger((socket) => setTimeout(() => socket.destroy(), 60_000).unref(), async (listen) => {
        assert.equal((await healthcheck(listen)).status, 1);
    });
    assert.ok(Date.now() - started < 20_000);
});

test('an address that is none is a mistake of usage, exit 2', async () => {
    for (const listen of ['127.0.0.1', 'nowhere:80', 'unix:', '[::1', '127.0.0.1:70000'])
        assert.equal((await healthcheck(listen)).status, 2, listen);
});
