// Requests whose end is in doubt, and requests that a foreign page made the browser send.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Service, signer } from './harness.mjs';

let service;
before(async () => {
    service = await Service.create();
});
after(() => service?.close());

const body = JSON.stringify(signer(1));

function post(...headers) {
    return ['POST /api/v1/signatures HTTP/1.1', `Host: 127.0.0.1:${service.port}`,
        'Content-Type: application/json', ...headers, '', ''].join('\r\n');
}

const smuggled = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

async function refused(name, bytes) {
    const answer = await service.raw(bytes);
    assert.equal(answer.status, 400, `${name}: ${answer.text.slice(0, 200)}`);
    assert.ok(answer.closed, `${name}: the connection is closed`);
    assert.ok(!answer.answers.includes(200), `${name}: what follows is not taken for a request`);
}

test('two Content-Length headers are 400 and the end of the connection', async () => {
    const n = Buffer.byteLength(body);
    await refused('different', post(`Content-Length: ${n}`, 'Content-Length: 5') + body + smuggled);
    await refused('different, other order', post('Content-Length: 5', `Content-Length: ${n}`) + body + smuggled);
    await refused('equal', post(`Content-Length: ${n}`, `Content-Length: ${n}`) + body + smuggled);
});

test('Transfer-Encoding is 400 and the end of the connection, with and without Content-Length', async () => {
    const chunked = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    await refused('chunked', post('Transfer-Encoding: chunked') + chunked + smuggled);
    await refused('both', post(`Content-Length: ${Buffer.byteLength(chunked)}`, 'Transfer-Encoding: chunked') + chunked + smuggled);
    await refused('both, other order', post('Transfer-Encoding: chunked', 'Content-Length: 4') + chunked + smuggled);
    for (const coding of ['identity', 'gzip', 'chunked, identity', ' chunked', '\tchunked', 'xchunked', 'CHUNKED'])
        await refused(coding, post(`Transfer-Encoding: ${coding}`, 'Content-Length: 4') + chunked + smuggled);
});

test('a Content-Length that is no number is 400 and the end of the connection', async () => {
    for (const value of ['x', '-1', '+5', '5x', '0x5', '1e1', '5 5', '5,5'])
        await refused(value, post(`Content-Length: ${value}`) + body + smuggled);
    const endless = await service.raw(post('Content-Length: 99999999999999999999999') + body + smuggled);
    assert.ok([400, 413].includes(endless.status) && endless.closed && !endless.answers.includes(200));
});

test('a GET with a body of doubtful length is refused as well', async () => {
    const get = (...headers) => ['GET /en HTTP/1.1', 'Host: x', ...headers, '', ''].join('\r\n');
    await refused('chunked', `${get('Transfer-Encoding: chunked')}0\r\n\r\n${smuggled}`);
    await refused('two lengths', get('Content-Length: 0', 'Content-Length: 40') + smuggled);
});

test('a request without Host is 400', async () => {
    const answer = await service.raw('GET /healthz HTTP/1.1\r\n\r\n');
    assert.equal(answer.status, 400);
});

test('two good requests on one connection get two answers', async () => {
    const request = post(`Content-Length: ${Buffer.byteLength(body)}`) + body;
    const last = post(`Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close') + body;
    const answer = await service.raw(request + last);
    assert.deepEqual(answer.answers, [202, 202], answer.text);
});

test('a body that never comes leaves nothing behind', async () => {
    const { index } = await service.sign(signer('before'));
    const answer = await service.raw(post('Content-Length: 100') + body.slice(0, 20), 500);
    assert.deepEqual(answer.answers, []);
    assert.equal((await service.sign(signer('after'))).index, index + 1);
});

const CROSS_SITE = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { origin: 'https://evil.example' },
    { origin: 'http://127.0.0.1:1' },
    { origin: 'http://127.0.0.1.evil.example' },
];

test('a POST that another site sends is 403 and changes nothing', async () => {
    const receipt = await service.sign(signer('victim'));
    const { count, log_size: size } = await service.published(receipt.index + 1);
    for (const headers of CROSS_SITE) {
        const shown = JSON.stringify(headers);
        const form = await service.form('/en/sign', signer('x', { visibility: 'private' }), headers);
        assert.equal(form.status, 403, shown);
        assert.equal(form.type, 'text/html');
        assert.equal((await service.form('/fr/withdraw', { code: receipt.withdraw }, headers)).status, 403, shown);
        const api = await service.json('/api/v1/signatures', signer('x'), headers);
        assert.equal(api.status, 403, shown);
        assert.equal(api.type, 'application/problem+json');
        assert.equal((await service.json('/api/v1/withdraw', { code: receipt.withdraw }, headers)).status, 403, shown);
    }
    assert.deepEqual((({ count: c, log_size: s }) => [c, s])(await service.count()), [count, size]);
});

test('a POST of our own page is accepted', async () => {
    for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' },
        { origin: service.origin, 'sec-fetch-site': 'same-origin' }, { origin: service.origin }]) {
        const answer = await service.form('/en/sign', signer('own', { visibility: 'private' }), headers);
        assert.equal(answer.status, 303, JSON.stringify(headers));
    }
});

test('following a link from another site is welcome', async () => {
    assert.equal((await service.get('/en', { 'sec-fetch-site': 'cross-site' })).status, 200);
});

test('behind a proxy the Origin is compared with base_url', async () => {
    const proxied = await Service.create({ settings: { base_url: 'https://petition.example' } });
    try {
        const post_ = (origin) => proxied.form('/en/sign', signer('p', { visibility: 'private' }), { origin });
        assert.equal((await post_('https://petition.example')).status, 303);
        assert.equal((await post_('https://evil.example')).status, 403);
        assert.equal((await post_('http://petition.example')).status, 403);
    } finally {
        await proxied.close();
    }
});
