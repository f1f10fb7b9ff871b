// What the desk says when it refuses: only what is known, beside what was typed, and never to use the
// browser's back button, which leads to a page that cannot be shown again.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Desk, PASSWORD, enrolment, totp } from './desk.mjs';
import { Service, query, root, signer, sleep, track, until } from './harness.mjs';

let service;
before(async () => {
    service = await Service.create();
    for (const name of ['admin', 'second'])
        await service.organiser(name, PASSWORD);
    await service.sign(signer(1));
});
after(() => service?.close());

const UNCHANGED = 'Nothing was changed.';
const UNKNOWN = 'it is not known whether this was done';
const unescape = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
const value = (page, id) => unescape(new RegExp(`<input [^>]*id="${id}"[^>]*value="([^"]*)"`).exec(page.text)?.[1] ?? '');
const errors = (page) => Object.fromEntries([...page.text.matchAll(/<p class="error" id="([a-z]+)-error">([^<]*)</g)]
    .map(([, field, text]) => [field, text]));

/** The summary links to each field that is wrong, the field names its message, and nothing typed secretly comes back. */
function assertProblems(page, status, fields) {
    assert.equal(page.status, status);
    assert.match(page.text, /<title>Error: /);
    assert.deepEqual(Object.keys(errors(page)), fields);
    assert.deepEqual([...page.text.matchAll(/<li><a href="#([a-z]+)">/g)].map(([, field]) => field), fields);
    for (const field of fields)
        assert.match(page.text, new RegExp(`<input [^>]*id="${field}"[^>]*aria-describedby="[^"]*${field}-error" *[^>]*aria-invalid="true"`));
    assert.ok(!page.text.includes(PASSWORD));
    assert.ok(!page.text.includes('wrong wrong'));
}

test('no text of the desk sends anybody to the back button', () => {
    const told = { en: /go back|back button/i, fr: /en arrière|bouton de retour/i, km: /ថយក្រោយ/ };
    for (const [lang, words] of Object.entries(told))
        for (const [key, text] of Object.entries(JSON.parse(readFileSync(path.join(root, `public/catalogue/desk-${lang}.json`)))))
            assert.ok(key === 'desk.cancel' || !words.test(text), `${lang} ${key}: ${text}`);
});

test('a wrong code at enrolment shows the same secret and picture again, and the right one then turns codes on', async () => {
    const desk = await Desk.login(service, 'second');
    const first = await desk.post('/admin/account/totp', { password: PASSWORD });
    const picture = (page) => /<svg[^]*?<\/svg>/.exec(page.text)[0];
    let page = first;
    for (const code of ['', '000000', 'abcdef']) {
        page = await desk.post('/admin/account/totp/confirm', { ...enrolment(page), code });
        assertProblems(page, 422, ['code']);
        assert.equal(enrolment(page).secret, enrolment(first).secret);
        assert.equal(picture(page), picture(first));
        assert.match(page.text, /<nav aria-label="Desk">/);
    }
    const { secret, seal } = enrolment(page);
    assert.equal((await desk.post('/admin/account/totp/confirm', { secret, seal, code: totp(secret) })).status, 200);
    await desk.post('/admin/account/totp/off', { password: PASSWORD });
});

test('the form of a hand-over comes back with what was typed', async () => {
    const desk = await Desk.login(service);
    const started = (await desk.post('/admin/deliveries')).headers.location.split('?')[0];
    await until(async () => /ready<\/strong>/.test((await desk.get(started)).text), 'the delivery is done');
    const send = (fields) => desk.post(`${started}/handover/3`, fields);
    const note = 'to "the" <desk>';
    const late = await send({ day: '2999-01-01', note });
    assertProblems(late, 422, ['day']);
    assert.equal(value(late, 'day'), '2999-01-01');
    assert.equal(value(late, 'note'), note);
    const long = 'x'.repeat(501);
    const both = await send({ day: 'soon', note: long });
    assertProblems(both, 422, ['day', 'note']);
    assert.equal(value(both, 'note'), long);
    const only = await send({ day: '2017-10-23', note: long });
    assertProblems(only, 422, ['note']);
    assert.equal(value(only, 'day'), '2017-10-23');
    assert.match(only.text, new RegExp(`action="${started}/handover/3"`));
    assert.deepEqual(await query(service.dir, 'SELECT * FROM handover'), []);
    assert.equal((await send({ day: '2017-10-23', note })).status, 303);
    const reader = await desk.post('/admin/organisers', { name: 'reader', role: 'reader', new: PASSWORD, password: PASSWORD });
    assert.equal(reader.status, 303, reader.text);
    const other = await Desk.login(service, 'reader');
    const refused = await other.post(`${started}/handover/3`, { day: 'soon' });
    assert.equal(refused.status, 403, 'the form is for those who may use it');
    assert.match(refused.text, /You may not do this/);
});

test('the form of a new organiser comes back with name and role, never with a password', async () => {
    const desk = await Desk.login(service);
    const role = (page) => /<select id="role" name="role">[^]*?<option value="([a-z]+)" selected/.exec(page.text)[1];
    const add = async (fields, status, wrong) => {
        const page = await desk.post('/admin/organisers', { role: 'organiser', new: PASSWORD, password: PASSWORD, ...fields });
        assertProblems(page, status, wrong);
        assert.equal(value(page, 'name'), fields.name);
        assert.equal(role(page), 'organiser');
    };
    await add({ name: '<a b>' }, 422, ['name']);
    await add({ name: 'new', new: 'short' }, 422, ['new']);
    await add({ name: 'a b', new: 'short' }, 422, ['name', 'new']);
    await add({ name: 'admin' }, 409, ['name']);
    await add({ name: 'new', password: 'wrong wrong wrong' }, 422, ['own']);
    const soon = await desk.post('/admin/organisers', { name: 'new', role: 'organiser', new: PASSWORD, password: PASSWORD });
    assert.equal(soon.status, 429);
    assert.match(soon.text, /Please wait/);
    assert.ok(soon.text.includes(UNCHANGED));
    await sleep(2100);
    assert.equal((await desk.post('/admin/organisers', { name: 'new', role: 'whim', new: PASSWORD, password: PASSWORD })).status, 422);
    assert.deepEqual(await query(service.dir, "SELECT 1 FROM organiser WHERE name = 'new'"), []);
    assert.equal((await desk.post('/admin/organisers', { name: 'new', role: 'organiser', new: PASSWORD, password: PASSWORD })).status, 303);
});

test('a refusal says its own reason, and that nothing was changed', async () => {
    const desk = await Desk.login(service);
    const says = async (target, fields, status, words) => {
        const page = await desk.post(target, fields);
        assert.equal(page.status, status, target);
        assert.match(page.text, words);
        assert.ok(page.text.includes(UNCHANGED), target);
    };
    await says('/admin/void', { index: 1, why: 'whim' }, 422, /Choose a reason/);
    await says('/admin/deliveries/1/complete', {}, 422, /Tick the box/);
    await says('/admin/deliveries/9/complete', { sure: 'yes' }, 404, /There is nothing here/);
    await says('/admin/organisers/role', { name: 'nobody', role: 'reader', password: PASSWORD }, 404, /There is nothing here/);
    const reader = await Desk.login(service, 'reader');
    const refused = await reader.post('/admin/void', { index: 1, why: 'fraud' });
    assert.equal(refused.status, 403);
    assert.match(refused.text, /You may not do this/);
    assert.doesNotMatch(refused.text, /Choose a reason/);
    const look = await desk.get('/admin/deliveries/99');
    assert.equal(look.status, 404);
    assert.ok(!look.text.includes(UNCHANGED), 'a look changes nothing anyway');
});

test('the rows of a paper sheet come back with every refusal', async () => {
    const desk = await Desk.login(service);
    const csv = 'name,country\n"<b>, ""x""",KH\n';
    const rows = (page) => unescape(/<textarea id="csv"[^>]*>\n([^]*?)<\/textarea>/.exec(page.text)?.[1] ?? 'none');
    for (const [target, fields, status] of [['/admin/paper', { after: '7', label: 'box "1"' }, 409],
        ['/admin/paper/check', { label: 'x'.repeat(201) }, 422], ['/admin/paper', { after: '0', label: 'x'.repeat(201) }, 422]]) {
        const page = await desk.post(target, { csv, ...fields });
        assert.equal(page.status, status);
        assert.equal(rows(page), csv);
        assert.equal(value(page, 'label'), fields.label);
        assert.match(page.text, /action="\/admin\/paper\/check"/);
        const again = await desk.post('/admin/paper/check', { csv: rows(page), label: 'box' });
        assert.equal(again.status, 200);
    }
    assert.doesNotMatch((await desk.post('/admin/paper/9/remove', { why: 'test' })).text, /<textarea/);
});

test('when the database does not answer, nothing is said to be unchanged, and rows come back', async () => {
    const desk = await Desk.login(service);
    const form = /name="form" value="([^"]+)"/.exec((await desk.get('/admin/account')).text)[1];
    const csv = 'name,country\nA,KH\n';
    const other = track(spawn('sqlite3', [service.file('petition.db')], { stdio: ['pipe', 'pipe', 'inherit'] }));
    try {
        other.stdin.write("BEGIN IMMEDIATE;\nSELECT 'locked';\n");
        await new Promise((resolve) => other.stdout.once('data', resolve));
        const removal = await desk.send('/admin/void', { form, index: 1, why: 'test' });
        assert.equal(removal.status, 503);
        assert.ok(removal.text.includes(UNKNOWN), removal.text);
        assert.ok(!removal.text.includes(UNCHANGED));
        const paper = await desk.send('/admin/paper', { form, csv, after: '0' });
        assert.equal(paper.status, 503);
        assert.ok(!/Nothing was/.test(paper.text), paper.text);
        assert.ok(paper.text.includes(csv.trim()));
    } finally {
        other.stdin.end('ROLLBACK;\n');
        await new Promise((resolve) => other.once('close', resolve));
    }
});
