// What is refused, and how: every problem at once, in the right form, nothing stored by halves,
// nothing echoed unescaped, nothing personal logged.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, petition, scratch, signer } from './harness.mjs';

const LANGS = ['en', 'fr', 'km'];
// Whatever is sent here carries this word, so that the logs can be searched for it.
const MARK = 'Zyxwvut';

let service;
let sizeBefore;
before(async () => {
    service = await Service.create();
    await service.sign(signer('witness'));
    sizeBefore = (await service.published(2)).log_size;
});
after(() => service?.close());

const api = (value, headers) => service.json('/api/v1/signatures', value, headers);
const good = (more) => signer(1, { name: `${MARK} One`, contact: `${MARK}@example.org`, ...more });

/** A 422 of the API: the errors by field. */
async function errorsOf(value) {
    const answer = await api(value);
    assert.equal(answer.status, 422, answer.text);
    assert.equal(answer.type, 'application/problem+json');
    const { errors, status } = answer.json;
    assert.equal(status, 422);
    for (const reason of Object.values(errors))
        assert.match(reason, /^[a-z_]+$/);
    return errors;
}

function assertProblem(answer, status) {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.type, 'application/problem+json');
    assert.equal(answer.json.status, status);
    assert.ok(!answer.text.includes(MARK), 'the problem does not repeat what was sent');
}

function assertPage(answer, status, lang) {
    assert.equal(answer.status, status);
    assert.equal(answer.type, 'text/html');
    assert.match(answer.text, new RegExp(`<html[^>]* lang="${lang}"`));
}

test('a body over 8 KiB is 413, in the form of whom it answers', async () => {
    const long = `${MARK}${'x'.repeat(9000)}`;
    assertProblem(await api(good({ name: long })), 413);
    for (const lang of LANGS)
        assertPage(await service.form(`/${lang}/sign`, good({ name: long })), 413, lang);
    assertProblem(await api(good({ name: `${MARK}${'x'.repeat(900_000)}` })), 413);
    const announced = await service.raw(['POST /api/v1/signatures HTTP/1.1', 'Host: x', 'Content-Type: application/json',
        'Content-Length: 9000000000', '', ''].join('\r\n'));
    assert.equal(announced.status, 413, 'what is much too long is not even read');
    assert.ok(announced.closed);
});

test('another media type is 415', async () => {
    const body = JSON.stringify(good());
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x', ''])
        assertProblem(await api(body, { 'content-type': type }), 415);
    assertPage(await service.json('/fr/sign', good()), 415, 'fr');
    assertPage(await service.form('/en/sign', 'name=x', { 'content-type': 'multipart/form-data; boundary=x' }), 415, 'en');
    const charset = await api(JSON.stringify(good()), { 'content-type': 'Application/JSON; charset=utf-8' });
    assert.equal(charset.status, 202);
    sizeBefore++;
});

test('what is not a JSON object is 400', async () => {
    for (const body of ['', '{', '[]', '"x"', 'null', '{"name":"a"', '{"name":"a",}', "{'name':'a'}", '{"name":"a"} x',
        '{"name":a}', '{"a":'.repeat(1500), '['.repeat(8000), '{"name":"\\x"}', '{"name":"a\nb"}'])
        assertProblem(await api(body), 400);
});

test('invalid UTF-8 and NUL bytes are 400 in both syntaxes', async () => {
    for (const bytes of ['\xff', '\xc0\xaf', '\xed\xa0\x80', '\xf5\x80\x80\x80', '\xe1\x9e', '\0']) {
        assertProblem(await api(Buffer.from(`{"name":"${bytes}","contact":"a@example.org","country":"KH"}`, 'latin1')), 400);
        const escaped = [...bytes].map((c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
        for (const body of [`name=${escaped}&contact=a@example.org`, Buffer.from(`name=${bytes}`, 'latin1')])
            assertPage(await service.form('/km/sign', body), 400, 'km');
    }
    for (const text of ['\\u0000', '\\ud800', '\\udc00\\ud800'])
        assertProblem(await api(`{"name":"${text}","contact":"a@example.org","country":"KH"}`), 400);
});

test('a form that is not urlencoded is 400', async () => {
    for (const body of ['name=%', 'name=%4', 'name=%zz'])
        assertPage(await service.form('/en/sign', body), 400, 'en');
});

test('all problems are told at once, each bound to its field', async () => {
    assert.deepEqual(Object.keys(await errorsOf({})).sort(), ['contact', 'country', 'name']);
    const errors = await errorsOf({
        name: '', contact: 'neither', country: 'XX', visibility: 'everybody', updates: 'yes', lang: 'de', seed: '!', other: 1,
    });
    assert.deepEqual(Object.keys(errors).sort(),
        ['contact', 'country', 'lang', 'name', 'other', 'seed', 'updates', 'visibility']);
});

test('wrong JSON types are problems of their fields', async () => {
    for (const wrong of [1, null, true, [], {}, 1.5])
        for (const field of ['name', 'contact', 'country', 'visibility', 'lang', 'seed'])
            assert.deepEqual(Object.keys(await errorsOf(good({ [field]: wrong }))), [field]);
    for (const wrong of [1, null, 'true', [], {}])
        assert.deepEqual(Object.keys(await errorsOf(good({ updates: wrong }))), ['updates']);
});

test('unknown members of JSON are refused by name', async () => {
    assert.deepEqual(Object.keys(await errorsOf(good({ nmae: 'x' }))), ['nmae']);
    assert.deepEqual(Object.keys(await errorsOf(good({ __proto: 'x', Name: 'y' }))).sort(), ['Name', '__proto']);
    const script = await api(good({ '<script>alert(1)</script>': 1 }));
    assert.equal(script.status, 422);
    assert.equal(script.type, 'application/problem+json');
});

test('a field given twice is refused in both syntaxes, even with equal values', async () => {
    for (const field of ['name', 'contact', 'country']) {
        const value = JSON.stringify(good()[field]);
        const body = JSON.stringify(good()).replace('{', `{"${field}":${value},`);
        const answer = await api(body);
        assert.equal(answer.status, 422, answer.text);
        assert.deepEqual(Object.keys(answer.json.errors), [field]);
    }
    const body = `${new URLSearchParams(good({ visibility: 'private' }))}&name=Second`;
    const answer = await service.form('/en/sign', body);
    assertPage(answer, 422, 'en');
    assert.match(answer.text, /href="#name"/);
});

test('more members than there can be are refused', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`m${i}`, 1]));
    const answer = await api(good(many));
    assert.ok([400, 422].includes(answer.status));
    const form = await service.form('/en/sign', Array.from({ length: 200 }, (_, i) => `m${i}=1`).join('&'));
    assert.ok([400, 422].includes(form.status));
});

test('names: 200 code points at most, no web address, none empty after trimming', async () => {
    const khmer = 'ក';
    assert.deepEqual(Object.keys(await errorsOf(good({ name: khmer.repeat(201) }))), ['name']);
    assert.deepEqual(Object.keys(await errorsOf(good({ name: 'x'.repeat(300) }))), ['name']);
    for (const name of ['', '   ', '\u3000', '\u200b\u202e', '\t\n'])
        assert.deepEqual(Object.keys(await errorsOf(good({ name }))), ['name'], JSON.stringify(name));
    for (const name of ['see https://example.org', 'http://x.example', 'www.example.org'])
        assert.deepEqual(Object.keys(await errorsOf(good({ name }))), ['name'], name);
    for (const name of [khmer.repeat(200), "O'Brien-Ng, Jr.", 'Nguyễn Thị Ánh', 'X', '김', '<b>=1+1</b>', 'a\u200db']) {
        await service.sign(good({ name }));
        sizeBefore++;
    }
});

test('contacts: 254 bytes at most, an e-mail address or a phone number', async () => {
    const wrong = ['x', 'a@', '@example.org', 'a b@example.org', 'a@@example.org', 'a@example', '123', '+999999999999999999',
        `${'a'.repeat(250)}@example.org`, 'a@exa mple.org', '0'.repeat(300), 'a@-example.org'];
    for (const contact of wrong)
        assert.deepEqual(Object.keys(await errorsOf(good({ contact }))), ['contact'], contact);
});

test('countries are the 249 codes', async () => {
    for (const country of ['', 'XX', 'kh', 'KHM', 'EU', '00', 'K', 'Cambodia'])
        assert.deepEqual(Object.keys(await errorsOf(good({ country }))), ['country'], country);
});

test('seeds are 16 bytes in base64', async () => {
    for (const seed of ['AAAA', 'A'.repeat(22), `${'A'.repeat(21)}B==`, `${'A'.repeat(22)}==x`, `${'A'.repeat(44)}`])
        assert.deepEqual(Object.keys(await errorsOf(good({ seed }))), ['seed'], seed);
});

test('bidi and control characters never get into a stored name', async () => {
    const fresh = await Service.create();
    try {
        await fresh.sign(signer(1, {
            name: ' \u202eSok\u2066 \u0007San\u200f\u2069\u00ad\u0085 ', visibility: 'public',
        }));
        await fresh.stop();
        const file = path.join(scratch(), 'sealed.jsonl');
        await fresh.succeed(['export', file]);
        const opened = await petition(['open', '--key', fresh.file('organiser.key'), file]);
        assert.equal(opened.status, 0, opened.stderr);
        assert.match(opened.stdout, /Sok San/);
        assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u0007\u0085]/.test(opened.stdout));
    } finally {
        await fresh.close();
    }
});

test('a refused form comes back with its values, a summary of errors first, each linked to its field', async () => {
    for (const lang of LANGS) {
        const answer = await service.form(`/${lang}/sign`, {
            name: '', contact: 'kept-contact', country: 'FR', visibility: 'public', updates: 'yes',
        });
        assertPage(answer, 422, lang);
        const page = answer.text;
        assert.match(page, /<title>[^<]+<\/title>/);
        assert.match(page, /href="#name"/);
        assert.match(page, /href="#contact"/);
        assert.ok(page.indexOf('href="#name"') < page.search(/<form[^>]*\/sign"/), 'the summary comes first');
        assert.match(page, /id="name"/);
        assert.match(page, /<input[^>]*value="kept-contact"/);
        assert.match(page, /<option value="FR" selected/);
        assert.match(page, /<input[^>]*value="public"[^>]*checked/);
        assert.match(page, /aria-invalid="true"/);
        for (const described of page.matchAll(/aria-describedby="([^"]+)"/g))
            for (const id of described[1].split(/\s+/))
                assert.ok(page.includes(`id="${id}"`), `${id} is there`);
        assert.match(answer.headers['cache-control'], /no-store/);
    }
});

test('what was typed comes back escaped', async () => {
    const attacks = ['"><script>alert(1)</script>', "' onmouseover='alert(1)", '</option></select><img src=x onerror=alert(1)>',
        '{{t.title}}{{{html_x}}}{{>x}}', '&lt;script&gt;', '<!--', '\u2028<svg/onload=alert(1)>'];
    for (const attack of attacks) {
        for (const field of ['name', 'contact', 'country', 'visibility', 'updates', 'seed']) {
            const answer = await service.form('/en/sign', { name: 'x', contact: '', country: '', [field]: attack });
            assert.equal(answer.status, 422, `${field} ${attack}`);
            assert.ok(!/<script>alert|onerror=alert\(1\)>|<svg\/onload|<!--/.test(answer.text), `${field}: ${attack}`);
            assert.ok(!answer.text.includes(`value="${attack}`) || !/["<>]/.test(attack));
            assert.ok(!/value="[^"]*' on/.test(answer.text.replaceAll('&#39;', '')));
        }
        const answer = await service.form('/en/sign', { name: attack, contact: '', country: '' });
        const value = /<input[^>]*name="name"[^>]*>/.exec(answer.text)?.[0] ?? '';
        assert.match(value, /value="/, 'the name is kept');
        assert.ok(!/value="[^"]*"[^>]*<script/.test(value));
    }
    const kept = await service.form('/en/sign', { name: '{{t.title}}', contact: '', country: '' });
    assert.match(kept.text, /value="\{\{t\.title\}\}"/, 'values are no templates');
});

test('the same form is refused alike whether its contact has signed or not', async () => {
    await service.sign(signer('known'));
    sizeBefore++;
    const [known, unknown] = await Promise.all([
        service.form('/en/sign', signer('known', { visibility: 'x' })),
        service.form('/en/sign', signer('knowm', { visibility: 'x' })),
    ]);
    assert.equal(known.text.replaceAll('known', 'knowm').replace(/value="[A-Za-z0-9+/=]{24}"/, ''),
        unknown.text.replace(/value="[A-Za-z0-9+/=]{24}"/, ''));
});

test('nothing refused was stored, and nothing personal was logged', async () => {
    const { log_size: size } = await service.published(sizeBefore);
    assert.equal(size, sizeBefore);
    assert.ok(!new RegExp(`${MARK}|example\\.org|kept-contact|alert|witness`, 'i').test(service.stderr), service.stderr);
    assert.ok(!readFileSync(service.file('petition.db')).includes('kept-contact'));
});
