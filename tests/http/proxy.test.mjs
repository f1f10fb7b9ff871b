// Behind a proxy: the files deploy/nginx.conf and deploy/Caddyfile with the real servers, over TCP and
// over a Unix socket. What passes through is unchanged, what nginx or Caddy answer themselves is as
// safe, and nobody writes down who asked.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Desk, PASSWORD, believesForwarded } from './desk.mjs';
import { CLIENT, HOST, Proxy, replaced } from './proxies.mjs';
import { Service, freePort, run, scratch, signer, succeed, until } from './harness.mjs';

const BASE = `https://${HOST}`;
const FORGED = '198.51.100.7';

const SECURITY_HEADERS = ['content-security-policy', 'referrer-policy', 'x-content-type-options', 'x-frame-options',
    'cross-origin-opener-policy', 'cross-origin-resource-policy', 'permissions-policy', 'cache-control'];

function assertSecurityHeaders(answer, what) {
    for (const name of SECURITY_HEADERS)
        assert.equal(answer.names.filter((other) => other === name).length, 1, `${what}: ${answer.status}: ${name} once`);
    assert.equal(answer.headers['referrer-policy'], 'same-origin', what);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', what);
    assert.match(answer.headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/, what);
    assert.equal(answer.headers['x-powered-by'], undefined);
    assert.doesNotMatch(answer.headers.server ?? '', /\d/, 'no version is told');
}

async function initialised(settings, socket) {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir], { settings });
    return new Service(dir, settings, socket);
}

function filesOf(dir) {
    return readdirSync(dir, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
}

for (const kind of ['nginx', 'caddy']) {
    for (const over of ['TCP', 'a Unix socket']) {
        describe(`behind ${kind} over ${over}`, () => {
            let service;
            let proxy;

            before(async () => {
                service = await initialised({ base_url: BASE, trusted_proxies: '127.0.0.1', log_level: 'debug' },
                    over === 'TCP' ? undefined : path.join(scratch(), 'http.sock'));
                await service.start();
                proxy = await Proxy.start(kind, { port: service.port, socket: service.socket });
            });
            after(async () => {
                await proxy?.close();
                await service?.close();
            });

            test('one signs by form and by API, and withdraws', async () => {
                const form = await proxy.form('/km/sign', signer('by-form', { visibility: 'private' }), { origin: BASE });
                assert.equal(form.status, 303);
                assert.match(form.headers.location, /^\/km\/thanks\/[\w-]+$/);
                assert.equal((await proxy.get(form.headers.location)).status, 200);
                const receipt = await proxy.sign(signer('by-API'));
                assert.deepEqual((await proxy.withdraw(receipt.withdraw)).json, { withdrawn: receipt.index });
                const other = await proxy.sign(signer('other'));
                const page = await proxy.form('/fr/withdraw', { code: other.withdraw });
                assert.equal(page.status, 200, page.text);
                assert.equal((await service.published(other.index + 2)).count, 1);
            });

            test('the longest name and contact: their thank-you address passes, and gives the full receipt', async () => {
                const name = 'ក្ស'.repeat(66) + 'កក'; // 200 code points of 3 bytes
                assert.equal([...name].length, 200);
                const contact = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(57)}.kh`;
                assert.equal(contact.length, 254 - 1);
                const form = await proxy.form('/km/sign', signer('long', { name, contact, visibility: 'public' }), { origin: BASE });
                assert.equal(form.status, 303, form.text);
                const { location } = form.headers;
                assert.ok(location.length > 1500, `${location.length}`);
                const page = await until(async () => {
                    const answer = await proxy.get(location);
                    assert.equal(answer.status, 200);
                    return answer.text.includes('/receipt/save') && answer;
                }, 'the entry is published', 5000);
                const ticket = /name="ticket" value="([^"]+)"/.exec(page.text)[1];
                const opening = await proxy.form('/km/receipt/save', { ticket, file: 'opening' }, { origin: BASE });
                assert.equal(opening.status, 200, opening.text);
                assert.equal(JSON.parse(opening.json.fields).name, name);
                assert.equal(opening.json.contact, contact);
                await service.published(opening.json.index + 1); // its pages, too
            });

            test('pages arrive as the server made them, compressed and not, and are revalidated', async () => {
                for (const coding of ['identity', 'gzip', 'br']) {
                    const direct = await service.get('/km', { 'accept-encoding': coding });
                    const answer = await proxy.get('/km', { 'accept-encoding': coding });
                    assert.deepEqual(answer.body, direct.body, coding);
                    for (const name of ['content-encoding', 'content-type', 'content-length', 'etag', 'vary', 'cache-control'])
                        assert.equal(answer.headers[name], direct.headers[name], `${coding}: ${name}`);
                    assert.equal(answer.headers['content-encoding'], coding === 'identity' ? undefined : coding);
                    const again = await proxy.get('/km', { 'accept-encoding': coding, 'if-none-match': direct.headers.etag });
                    assert.equal(again.status, 304);
                    assert.equal(again.headers.etag, direct.headers.etag);
                    assert.equal(again.body.length, 0);
                }
                // A page that is not published is not compressed by anybody else either.
                const thanks = await proxy.form('/en/sign', signer('zip', { visibility: 'private' }));
                const page = await proxy.get(thanks.headers.location, { 'accept-encoding': 'gzip, br' });
                assert.equal(page.headers['content-encoding'], undefined);
            });

            test('every answer has every security header once', async () => {
                const form = (fields, headers) => proxy.form('/en/sign', fields, headers);
                const etag = (await proxy.get('/en')).headers.etag;
                const answers = [
                    [200, await proxy.get('/en')],
                    [200, await proxy.request('HEAD', '/fr')],
                    [200, await proxy.get('/api/v1/count')],
                    [200, await proxy.get('/healthz')],
                    [202, await proxy.json('/api/v1/signatures', signer('headers'))],
                    [302, await proxy.get('/')],
                    [303, await form(signer('headers', { visibility: 'private' }))],
                    [304, await proxy.get('/en', { 'if-none-match': etag })],
                    [400, await proxy.json('/api/v1/signatures', '{')],
                    [401, await proxy.get('/api/v1/deliveries/1')],
                    [403, await form(signer('x'), { origin: 'https://evil.example' })],
                    [404, await proxy.get('/none')],
                    [404, await proxy.get('/api/v1/none')],
                    [405, await proxy.request('DELETE', '/en')],
                    [413, await form(`name=${'x'.repeat(9000)}`)],
                    [413, await form(`name=${'x'.repeat(40_000)}`)],
                    [413, await form(`name=${'x'.repeat(200_000)}`)],
                    [415, await form(signer('x'), { 'content-type': 'text/plain' })],
                    [422, await form({ name: 'x' })],
                    [422, await proxy.json('/api/v1/signatures', {})],
                ];
                for (const [status, answer] of answers) {
                    assert.equal(answer.status, status, answer.text);
                    assertSecurityHeaders(answer, `${kind} ${status}`);
                }
            });

            test('links and the Origin check go by base_url', async () => {
                const page = (await proxy.get('/en')).text;
                assert.ok(page.includes(`<link rel="canonical" href="${BASE}/en">`));
                assert.ok(page.includes(`<meta property="og:url" content="${BASE}/en">`));
                assert.ok(page.includes(`hreflang="km" href="${BASE}/km"`));
                assert.ok(!page.includes('127.0.0.1') && !page.includes(`http://${HOST}`));
                for (const [origin, status] of [[BASE, 303], [`http://${HOST}`, 403], [proxy.origin, 403], ['https://evil.example', 403],
                    [`${BASE}.evil.example`, 403]]) {
                    const answer = await proxy.form('/en/sign', signer(`from-${status}`, { visibility: 'private' }), { origin });
                    assert.equal(answer.status, status, origin);
                }
            });

            test('a bundle of a delivery arrives whole', async () => {
                const bearer = { authorization: `Bearer ${await service.organiser()}` };
                assert.equal((await proxy.request('POST', '/api/v1/deliveries', { headers: bearer, body: '' })).status, 202);
                const state = await until(async () => {
                    const answer = await proxy.get('/api/v1/deliveries/1', bearer);
                    return answer.json.state === 'done' && answer.json;
                }, 'the delivery is done', 60_000);
                const bundle = state.bundles[7];
                const { pathname } = new URL(bundle.url, BASE);
                const answer = await proxy.get(pathname, bearer);
                assert.equal(answer.status, 200);
                assert.equal(answer.body.length, bundle.bytes);
                assert.equal(createHash('sha256').update(answer.body).digest('hex'), bundle.sha256);
            });

            test('no framing trick makes the two disagree: each accepted request has its answer', async () => {
                const body = JSON.stringify(signer('framing'));
                const n = Buffer.byteLength(body);
                const post = (...headers) => ['POST /api/v1/signatures HTTP/1.1', `Host: ${HOST}`, 'Content-Type: application/json',
                    ...headers, '', ''].join('\r\n');
                const second = `${post(`Content-Length: ${n}`, 'Connection: close')}${body}`;
                const chunked = `${n.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
                const tricks = {
                    'two lengths': post(`Content-Length: ${n}`, 'Content-Length: 5') + body,
                    'two lengths, the wrong one first': post('Content-Length: 5', `Content-Length: ${n}`) + body,
                    'two equal lengths': post(`Content-Length: ${n}`, `Content-Length: ${n}`) + body,
                    'length and chunked': post(`Content-Length: ${n}`, 'Transfer-Encoding: chunked') + chunked,
                    'chunked and length': post('Transfer-Encoding: chunked', 'Content-Length: 4') + chunked,
                    'only chunked': post('Transfer-Encoding: chunked') + chunked,
                    'unknown coding': post('Transfer-Encoding: xchunked', `Content-Length: ${n}`) + body,
                    'chunked twice': post('Transfer-Encoding: identity', 'Transfer-Encoding: chunked') + chunked,
                    'hidden by a tab': post('Transfer-Encoding:\tchunked', 'Content-Length: 4') + chunked,
                    'blank before the colon': post(`Content-Length : ${n}`, 'Content-Length: 0') + body,
                    'folded header': post(`Content-Length:\r\n ${n}`) + body,
                    'bare line feeds': post(`Content-Length: ${n}`).replaceAll('\r\n', '\n') + body,
                    'GET with a body': `GET /en HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${n}\r\n\r\n${body}`,
                    'GET, chunked': `GET /en HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
                    'too long a length': post('Content-Length: 18446744073709551617') + body,
                    'plus sign': post(`Content-Length: +${n}`) + body,
                };
                for (const [name, bytes] of Object.entries(tricks)) {
                    const { index } = await service.sign(signer('before'));
                    const answer = await proxy.raw(bytes + second, 1000);
                    const added = (await service.sign(signer('after'))).index - index - 1;
                    assert.equal(added, answer.answers.filter((status) => status === 202).length, `${name}: ${answer.text}`);
                }
            });

            test('a paper sheet of 500 kB passes, of 1.5 MiB does not, and other forms stay small', async () => {
                await service.succeed(['organiser', 'add', 'sheets'], { stdin: `${PASSWORD}\n` });
                const desk = await Desk.login(proxy, 'sheets');
                // It closes the connection, which would take the answer from whoever is still sending.
                const refusedByProxy = (large) => (large ? { expect: '100-continue' } : {});
                const sheet = (rows) => `name,contact,country\n${`${'A'.repeat(104)},,KH\n`.repeat(rows)}`;
                const page = await desk.post('/admin/paper/check', { csv: sheet(4500) });
                assert.equal(page.status, 200, page.text.slice(0, 300));
                assert.equal(page.text.split('<tr><th scope="row">').length - 1, 4500, 'a verdict for each row');
                for (const target of ['/admin/paper/check', '/admin/paper'])
                    for (const bytes of [1.5 * 1024 * 1024, 1_100_000, 1024 * 1024 + 1]) {
                        const refused = await desk.send(target, `csv=${'x'.repeat(bytes - 4)}`, refusedByProxy(bytes > 1_050_000));
                        assert.equal(refused.status, 413, `${target} ${bytes}`);
                        assertSecurityHeaders(refused, `${kind} ${target}`);
                    }
                for (const target of ['/en/sign', '/admin/logout', '/admin/find', '/admin/paper/1/remove'])
                    for (const bytes of [20_000, 500_000]) {
                        const refused = await desk.send(target, `name=${'x'.repeat(bytes)}`, refusedByProxy(bytes > 100_000));
                        assert.equal(refused.status, 413, `${target} ${bytes}`);
                        assertSecurityHeaders(refused, `${kind} ${target}`);
                    }
                assert.equal((await desk.get('/admin/paper')).status, 200, 'nobody was logged out');
                assert.ok(!proxy.logs().includes('AAAA'));
            });

            test('while the server is down the answer is a 502 with the headers, and then all is well', async () => {
                await service.stop();
                for (const answer of [await proxy.get('/en'), await proxy.form('/en/sign', signer('down', { visibility: 'private' }))]) {
                    assert.equal(answer.status, 502);
                    assertSecurityHeaders(answer, `${kind} 502`);
                }
                await service.start();
                await proxy.sign(signer('up-again'));
            });

            test('nobody has written down who asked, or what', async () => {
                await proxy.sign(signer('traceless'));
                await proxy.get('/en?secret=query', { 'x-forwarded-for': FORGED, referer: 'https://referrer.example/', 'user-agent': 'Browser/1.0' });
                await proxy.form('/en/sign', 'name=Somebody+Secret', { 'x-forwarded-for': FORGED });
                await service.restart();
                const written = [service.stderr, proxy.logs(), ...filesOf(service.dir).map((file) => readFileSync(file, 'latin1'))];
                for (const trace of [CLIENT, FORGED, 'secret=query', 'referrer.example', 'Browser/1.0', 'Somebody', 'signer-traceless'])
                    assert.ok(!written.some((text) => text.includes(trace)), trace);
                assert.doesNotMatch(proxy.logs(), /client: |remote_/, 'not of the requests with doubtful framing either');
            });
        });
    }
}

// ---- what the proxy passes on

/** A server that answers with the headers it got. */
async function echo() {
    const server = http.createServer((rq, answer) => {
        rq.resume();
        rq.once('end', () => answer.end(JSON.stringify(rq.rawHeaders)));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
}

function values(answer, name) {
    const raw = answer.json;
    return raw.filter((_, i) => i % 2 === 1 && raw[i - 1].toLowerCase() === name);
}

for (const kind of ['nginx', 'caddy']) {
    describe(`what ${kind} passes on`, () => {
        let server;
        let proxy;

        before(async () => {
            server = await echo();
            proxy = await Proxy.start(kind, { port: server.address().port });
        });
        after(async () => {
            await proxy?.close();
            server?.close();
        });

        test('the client is named by the proxy alone, whatever it says of itself', async () => {
            for (const forged of [FORGED, `${FORGED}, 10.0.0.1`, 'unknown', '[::1]:80', ' , ,', '127.0.0.1', '1.2.3.4:5 6', '"', 'x'.repeat(3000)]) {
                const answer = await proxy.get('/', { 'x-forwarded-for': forged });
                assert.equal(answer.status, 200, forged);
                assert.deepEqual(values(answer, 'x-forwarded-for'), [CLIENT], forged);
            }
            const twice = await proxy.raw(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nConnection: close\r\n\r\n`);
            assert.equal(twice.status, 200);
            assert.ok(!/1\.1\.1\.1|2\.2\.2\.2/.test(twice.text), twice.text);
        });

        test('10 kB of X-Forwarded-For are refused, or overwritten', async () => {
            const answer = await proxy.get('/', { 'x-forwarded-for': `${FORGED}, `.repeat(720) });
            if (answer.status === 200)
                assert.deepEqual(values(answer, 'x-forwarded-for'), [CLIENT]);
            else
                assert.ok([400, 431].includes(answer.status), answer.text);
        });

        test('the Host is the visitor\'s, and no connection is used twice', async () => {
            const answer = await proxy.form('/', 'a=b');
            assert.deepEqual(values(answer, 'host'), [HOST]);
            assert.deepEqual(values(answer, 'connection'), ['close']);
            assert.deepEqual(values(answer, 'content-length'), ['3']);
            assert.deepEqual(values(answer, 'transfer-encoding'), []);
        });

        test('who sends headers for ever is cut off', { timeout: 30_000 }, async () => {
            const began = Date.now();
            const socket = net.connect(proxy.port, '127.0.0.1');
            socket.on('error', () => {});
            socket.write(`GET /en HTTP/1.1\r\nHost: ${HOST}\r\nX: `);
            const drip = setInterval(() => socket.write('x'), 300);
            socket.resume();
            await new Promise((resolve) => socket.once('close', resolve));
            clearInterval(drip);
            assert.ok(Date.now() - began < 20_000, `${Date.now() - began} ms`);
        });
    });
}

// ---- nginx alone

describe('nginx', () => {
    let server;
    let proxy;

    before(async () => {
        server = await echo();
        proxy = await Proxy.start('nginx', { port: server.address().port });
    });
    after(async () => {
        await proxy?.close();
        server?.close();
    });

    test('its own errors have every security header once', async () => {
        const start = `GET /en HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n`;
        const requests = {
            400: `${start}Content-Length: x\r\n\r\n`,
            '400 for a long header': `${start}X: ${'x'.repeat(6000)}\r\n\r\n`,
            405: `TRACE /en HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`,
            413: `POST /en/sign HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000000\r\n\r\n`,
            414: `GET /${'x'.repeat(6000)} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
        };
        for (const [name, bytes] of Object.entries(requests)) {
            const { text, status } = await proxy.raw(bytes);
            assert.equal(status, Number.parseInt(name, 10), text);
            for (const header of SECURITY_HEADERS)
                assert.equal(text.toLowerCase().split(`\r\n${header}: `).length, 2, `${name}: ${header}: ${text}`);
            assert.doesNotMatch(text, /nginx\/\d/);
        }
    });

    test('of one address it takes two paper sheets at a time, and any number of other requests', async () => {
        const head = (method, target, length) => `${method} ${target} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
        const two = ['/admin/paper', '/admin/paper/check'].map((target) => proxy.raw(`${head('POST', target, 500_000)}csv=`, 1500));
        await new Promise((resolve) => setTimeout(resolve, 300));
        const third = await proxy.raw(`${head('POST', '/admin/paper', 4)}csv=`);
        assert.equal(third.status, 503, third.text);
        assert.match(third.text, /Content-Security-Policy: default-src 'none'/);
        for (const other of [head('GET', '/admin/paper', 0), `${head('POST', '/en/sign', 3)}a=b`])
            assert.equal((await proxy.raw(other)).status, 200);
        assert.equal((await proxy.form('/admin/paper', 'csv=')).status, 200, 'from another address');
        await Promise.all(two);
        await until(async () => (await proxy.raw(`${head('POST', '/admin/paper', 4)}csv=`)).status === 200, 'their places are free again');
    });

    test('its lines for TLS are right: https with HSTS, and http leads to it', async () => {
        const dir = scratch();
        const made = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
            '-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`, '-keyout', `${dir}/privkey.pem`, '-out', `${dir}/fullchain.pem`]);
        assert.equal(made.status, 0, made.stderr);
        const plainPort = await freePort();
        const secure = await Proxy.start('nginx', { port: server.address().port }, (site, port) => {
            const opened = site.replace(/# Once there is a certificate:\n((?:# .*\n)+)/, (_, lines) => lines.replaceAll(/^# /gm, ''))
                .replaceAll(/^ {4}# {5}(\S)/gm, '    $1');
            return replaced(opened, [
                ['    listen 80;\n    listen [::]:80;\n', `    listen 127.0.0.1:${plainPort};\n`],
                ['    error_log /var/log/nginx/petition-error.log crit;\n', ''],
                ['    listen 443 ssl http2;\n    listen [::]:443 ssl http2;\n', `    listen 127.0.0.1:${port} ssl http2;\n`],
                [`    listen 127.0.0.1:${port};\n`, ''],
                [`/etc/letsencrypt/live/${HOST}/fullchain.pem`, `${dir}/fullchain.pem`],
                [`/etc/letsencrypt/live/${HOST}/privkey.pem`, `${dir}/privkey.pem`],
            ]);
        });
        try {
            const answer = await new Promise((resolve, reject) => {
                https.get({ host: '127.0.0.1', port: secure.port, path: '/en', servername: HOST, headers: { host: HOST },
                    ca: readFileSync(`${dir}/fullchain.pem`), agent: false }, (message) => {
                    message.resume();
                    resolve(message);
                }).once('error', reject);
            });
            assert.equal(answer.statusCode, 200);
            assert.deepEqual(answer.rawHeaders.filter((name) => /^strict-transport-security$/i.test(name)).length, 1);
            assert.match(answer.headers['strict-transport-security'], /^max-age=63072000$/);
            secure.port = plainPort;
            const plain = await secure.get('/km?x=1');
            assert.equal(plain.status, 301);
            assert.equal(plain.headers.location, `${BASE}/km?x=1`);
        } finally {
            await secure.close();
        }
    });
});

// ---- the setting

test('a trusted_proxies that is no list of addresses is refused, exit 2, in one line', async () => {
    const service = await initialised({});
    for (const value of ['localhost', '10.0.0.0/33', '127.0.0.1,', '0.0.0.0/0', '10.0.0.1 10.0.0.2', '[::1]', '::1/x']) {
        const result = await service.cli(['serve', '--listen', `127.0.0.1:${await freePort()}`], { settings: { trusted_proxies: value } });
        assert.equal(result.status, 2, `${value}: ${result.stderr}`);
        assert.match(result.stderr, /trusted_proxies/);
        assert.equal(result.stderr.trim().split('\n').length, 1);
    }
});

test('X-Forwarded-For is believed over a Unix socket, and over TCP from trusted proxies only', async () => {
    for (const [socket, settings, believed] of [[path.join(scratch(), 'http.sock'), {}, true], [undefined, {}, false],
        [undefined, { trusted_proxies: '10.0.0.0/8' }, false], [undefined, { trusted_proxies: '10.0.0.0/8, 127.0.0.1' }, true]]) {
        const service = await initialised(settings, socket);
        await service.start();
        try {
            assert.equal(await believesForwarded(service), believed, socket ?? JSON.stringify(settings));
        } finally {
            await service.close();
        }
    }
});

test('a taken port or Unix socket is one line and exit 1, its owner goes on, and nothing is half done', async () => {
    for (const socket of [undefined, path.join(scratch(), 'http.sock')]) {
        const owner = await initialised({}, socket);
        await owner.start();
        try {
            const late = await initialised({});
            const listen = socket ? `unix:${socket}` : `127.0.0.1:${owner.port}`;
            const refused = await late.cli(['serve', '--listen', listen]);
            assert.equal(refused.status, 1, refused.stderr);
            assert.equal(refused.stderr.trim().split('\n').length, 1);
            assert.ok(refused.stderr.includes(listen), refused.stderr);
            assert.equal(refused.stdout, '');
            await owner.sign(signer('still-here'));
            await late.start();
            assert.equal((await late.sign(signer('first'))).index, 1, 'the refused start has entered nothing');
            await late.close();
        } finally {
            await owner.close();
        }
    }
});

test('a forged X-Forwarded-For of any shape disturbs nothing', async () => {
    for (const settings of [{}, { trusted_proxies: '127.0.0.0/8, ::1' }]) {
        const service = await initialised(settings);
        await service.start();
        try {
            for (const forged of [FORGED, 'unknown', ' , ,', '[', ']', '[::1', '1.2.3.4:99999', '"', '%', 'x'.repeat(10_240), '1.2.3.4, '.repeat(1000)]) {
                const answer = await service.json('/api/v1/signatures', signer('forged'), { 'x-forwarded-for': forged });
                assert.equal(answer.status, 202, forged.slice(0, 40));
            }
        } finally {
            await service.close();
        }
        assert.ok(!service.stderr.includes(FORGED));
    }
});
