// What is published: pages and figures as bytes, their caching and compression, and every wrong
// address or method.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import { Service, query, root, signer, until } from './harness.mjs';

const LANGS = ['en', 'fr', 'km'];
const PAGES = LANGS.flatMap((lang) => ['', '/progress', '/withdraw', '/receipt', '/verify', '/privacy'].map((page) => `/${lang}${page}`));
const publicFile = (name) => readFileSync(path.join(root, 'public', name));

let service;
before(async () => {
    service = await Service.create();
});
after(() => service?.close());

test('/healthz and /readyz answer 200', async () => {
    assert.equal((await service.get('/healthz')).status, 200);
    assert.equal((await service.get('/readyz')).status, 200);
});

test('/ leads to the page in the language that the browser asks for', async () => {
    const wishes = { 'km-KH,km;q=0.9,en;q=0.8': 'km', 'fr-CH, fr;q=0.9': 'fr', 'de, en;q=0.5': 'en',
        'en;q=0.1, fr;q=0.9': 'fr', 'km;q=0, fr': 'fr', '*': 'en', ';;q=,': 'en', 'xx': 'en' };
    for (const [wish, lang] of Object.entries(wishes)) {
        const answer = await service.get('/', { 'accept-language': wish });
        assert.equal(answer.status, 302);
        assert.equal(answer.headers.location, `/${lang}`, wish);
        assert.match(answer.headers.vary ?? '', /accept-language/i);
    }
    assert.equal((await service.get('/')).headers.location, '/en');
});

test('every page is HTML in its language, in every encoding the same bytes', async () => {
    for (const page of PAGES) {
        const plain = await service.get(page);
        assert.equal(plain.status, 200, page);
        assert.match(plain.headers['content-type'], /^text\/html; ?charset=utf-8$/i);
        assert.match(plain.text, new RegExp(`<html[^>]* lang="${page.slice(1, 3)}"`));
        assert.equal(plain.headers['content-encoding'], undefined);
        const gzip = await service.get(page, { 'accept-encoding': 'gzip' });
        assert.equal(gzip.headers['content-encoding'], 'gzip', page);
        assert.deepEqual(gunzipSync(gzip.body), plain.body);
        const brotli = await service.get(page, { 'accept-encoding': 'gzip, deflate, br' });
        assert.equal(brotli.headers['content-encoding'], 'br', page);
        assert.deepEqual(brotliDecompressSync(brotli.body), plain.body);
        const refused = await service.get(page, { 'accept-encoding': 'br;q=0, gzip;q=0' });
        assert.equal(refused.headers['content-encoding'], undefined);
        for (const answer of [plain, gzip, brotli])
            assert.match(answer.headers.vary ?? '', /accept-encoding/i);
    }
});

test('a page has an ETag, is 304 to who has it, and changes its ETag with its content', async () => {
    for (const target of ['/en', '/km/progress', '/api/v1/count', '/api/v1/addressees']) {
        for (const encoding of ['identity', 'gzip', 'br']) {
            const first = await service.get(target, { 'accept-encoding': encoding });
            assert.match(first.headers.etag, /^(W\/)?"[^"]+"$/);
            assert.ok(first.headers['cache-control'], target);
            const second = await service.get(target,
                { 'accept-encoding': encoding, 'if-none-match': first.headers.etag });
            assert.equal(second.status, 304, target);
            assert.equal(second.body.length, 0);
            assert.equal(second.headers.etag, first.headers.etag);
            const list = await service.get(target,
                { 'accept-encoding': encoding, 'if-none-match': `"other", ${first.headers.etag}` });
            assert.equal(list.status, 304);
            const other = await service.get(target,
                { 'accept-encoding': encoding, 'if-none-match': '"other"' });
            assert.equal(other.status, 200);
        }
    }
    const old = (await service.get('/en')).headers.etag;
    await service.sign(signer('etag'));
    await until(async () => (await service.get('/en')).headers.etag !== old, 'a new ETag');
});

test('HEAD answers as GET, without the body', async () => {
    for (const target of ['/en', '/api/v1/count']) {
        const get = await service.get(target);
        const head = await service.request('HEAD', target);
        assert.equal(head.status, 200);
        assert.equal(head.body.length, 0);
        assert.equal(head.headers['content-length'], get.headers['content-length']);
        assert.equal(head.headers['content-type'], get.headers['content-type']);
    }
});

test('every answer is guarded: no cookie, no sniffing, no framing, no foreign script', async () => {
    for (const target of [...PAGES, '/en/nothing', '/api/v1/count', '/api/v1/nothing', '/healthz']) {
        const { headers } = await service.get(target);
        assert.equal(headers['x-content-type-options'], 'nosniff', target);
        assert.equal(headers['set-cookie'], undefined);
        const policy = headers['content-security-policy'] ?? '';
        assert.match(policy, /default-src 'none'/, target);
        assert.match(policy, /frame-ancestors 'none'/);
        assert.ok(!/unsafe-inline|unsafe-eval|https?:|\*/.test(policy), policy);
        assert.ok(headers['referrer-policy'], target);
    }
});

test('no page refers to another host', async () => {
    for (const page of PAGES) {
        const { text } = await service.get(page);
        const loaded = [...text.matchAll(/<(?:script|link|img|iframe|source|form)\b[^>]*?\b(?:src|href|action)="([^"]*)"/g)]
            .map((match) => match[1]);
        for (const target of loaded)
            assert.ok(!/^(?:[a-z]+:)?\/\//i.test(target), `${page} refers to ${target}`);
    }
});

test('the page names the 19 addressees with their 24 people exactly as in the data', async () => {
    const { addressees } = JSON.parse(publicFile('addressees.json'));
    const escape = (text) => text.replace(/&/g, '&amp;').replace(/'/g, '&#39;');
    const people = addressees.flatMap((entry) => entry.people);
    assert.equal(addressees.length, 19);
    assert.equal(people.length, 24);
    for (const lang of LANGS) {
        const { text } = await service.get(`/${lang}`);
        for (const person of people)
            assert.ok(text.includes(escape(person.name)) || text.includes(person.name), `${lang}: ${person.name}`);
    }
});

test('the form offers 249 countries, Cambodia first, in the language of the page', async () => {
    const cambodia = { en: 'Cambodia', fr: 'Cambodge', km: 'កម្ពុជា' };
    for (const lang of LANGS) {
        const { text } = await service.get(`/${lang}`);
        const options = [...text.matchAll(/<option value="([A-Z]{2})"[^>]*>([^<]+)</g)];
        assert.equal(new Set(options.map((option) => option[1])).size, 249);
        assert.equal(options[0][1], 'KH');
        assert.equal(options[0][2].trim(), cambodia[lang]);
    }
});

test('the risk and privacy notice stands before the form', async () => {
    for (const lang of LANGS) {
        const { text } = await service.get(`/${lang}`);
        const form = text.search(new RegExp(`<form[^>]*action="/${lang}/sign"`));
        assert.ok(form > 0);
        assert.ok(text.slice(0, form).includes(`href="/${lang}/privacy"`), lang);
    }
});

test('the first visit is at most 14 KB in brotli', async () => {
    for (const lang of LANGS) {
        const { body } = await service.get(`/${lang}`, { 'accept-encoding': 'br' });
        assert.ok(body.length <= 14 * 1024, `${lang}: ${body.length} bytes`);
    }
});

test('petition, texts and addressees are served, the files byte for byte', async () => {
    const petition = (await service.get('/api/v1/petition')).json;
    assert.equal(petition.goal, 1_000_000);
    assert.ok(petition.title);
    assert.ok(petition.state);
    assert.deepEqual([...petition.languages].sort(), LANGS);
    assert.match(petition.minisign_key, /^RW[A-Za-z0-9+/]{54}$/);
    for (const lang of LANGS) {
        const text = await service.get(`/api/v1/text/${lang}`);
        assert.equal(text.status, 200);
        assert.deepEqual(text.body, publicFile(`text/${lang}.txt`));
    }
    const addressees = await service.get('/api/v1/addressees');
    assert.deepEqual(addressees.body, publicFile('addressees.json'));
    assert.equal(addressees.type, 'application/json');
    assert.equal((await service.get('/api/v1/text/de')).status, 404);
});

test('entry 0 names the hashes of the texts and addressees that are served', async () => {
    const [{ body }] = await query(service.dir, 'SELECT CAST(body AS TEXT) AS body FROM log_entry WHERE idx = 0');
    const entry = JSON.parse(body);
    const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
    assert.equal(entry.t, 'open');
    for (const lang of LANGS)
        assert.equal(entry.text[lang], sha256((await service.get(`/api/v1/text/${lang}`)).body));
    assert.equal(entry.addressees, sha256((await service.get('/api/v1/addressees')).body));
});

test('an unknown path is 404: a page in the visitor\'s language, a problem for the API', async () => {
    for (const lang of LANGS) {
        for (const [target, headers] of [[`/${lang}/nothing`, {}], ['/nothing', { 'accept-language': lang }],
            [`/${lang}/thanks`, {}], ['/../etc/passwd', { 'accept-language': lang }]]) {
            const answer = await service.get(target, headers);
            assert.equal(answer.status, 404, target);
            assert.equal(answer.type, 'text/html');
            assert.match(answer.text, new RegExp(`<html[^>]* lang="${lang}"`));
        }
    }
    for (const target of ['/api/v1/nothing', '/api/', '/api/v2/count', '/api/v1/count/1']) {
        const answer = await service.get(target);
        assert.equal(answer.status, 404, target);
        assert.equal(answer.type, 'application/problem+json');
        assert.equal(answer.json.status, 404);
        assert.ok(answer.json.title);
    }
});

test('a wrong method is 405 and names the right ones', async () => {
    for (const [method, target, allow] of [
        ['DELETE', '/api/v1/count', /GET/], ['PUT', '/api/v1/signatures', /POST/],
        ['GET', '/api/v1/signatures', /POST/], ['POST', '/api/v1/count', /GET/],
        ['GET', '/api/v1/withdraw', /POST/], ['PATCH', '/healthz', /GET/],
        ['POST', '/en', /GET/], ['GET', '/km/sign', /POST/], ['DELETE', '/fr/withdraw', /GET.*POST|POST.*GET/]]) {
        const answer = await service.request(method, target, method === 'GET' ? {} : { body: '' });
        assert.equal(answer.status, 405, `${method} ${target}`);
        assert.match(answer.headers.allow ?? '', allow, `${method} ${target}`);
        assert.equal(answer.type, target.startsWith('/api/') ? 'application/problem+json' : 'text/html',
            `${method} ${target}`);
    }
});

test('nothing of an address is echoed', async () => {
    for (const target of ['/en/%3Cscript%3Ealert(1)%3C/script%3E', '/en?x=%3Cscript%3Ealert(1)%3C/script%3E',
        '/api/v1/%3Cscript%3Ealert(1)', '/en/thanks/%3Cscript%3Ealert(1)', '/km/Zebedee%22onload=']) {
        const answer = await service.get(target, { 'accept-language': '<script>alert(1)</script>' });
        assert.ok(!/alert\(1\)|Zebedee/.test(answer.text), target);
    }
});
