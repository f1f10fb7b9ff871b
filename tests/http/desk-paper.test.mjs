// Paper sheets at the desk: the dry run with a verdict for each row, bringing a batch in, the list, and
// taking a batch out, in three languages and without any script.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, parallel, query, scratch, signer, until } from './harness.mjs';

const PASSWORD = 'correct horse battery';
let service;
before(async () => {
    service = await Service.create();
    for (const name of ['anna', 'rita'])
        await service.succeed(['organiser', 'add', name], { stdin: `${PASSWORD}\n` });
});
after(() => service?.close());

const hidden = (page, name) => page.match(new RegExp(`<input type="hidden" name="${name}" value="([^"]*)"`))?.[1];
const cookieOf = (answer) => (answer.headers['set-cookie'] ?? []).map((line) => line.split(';')[0])
    .find((pair) => !pair.endsWith('='));

/** Who is logged in: get and post carry the cookie, post the form token too. */
class Desk {
    static async enter(name = 'anna') {
        const desk = new Desk();
        const form = await service.get('/admin/login');
        const answer = await service.form('/admin/login', { form: hidden(form.text, 'form'), name, password: PASSWORD },
            { cookie: cookieOf(form) });
        assert.equal(answer.status, 303, answer.text);
        desk.cookie = cookieOf(answer);
        desk.token = hidden((await desk.get('/admin/paper')).text, 'form');
        return desk;
    }

    get(target) {
        return service.get(target, { cookie: this.cookie });
    }

    post(target, fields = {}) {
        return service.form(target, { form: this.token, ...fields }, { cookie: this.cookie });
    }

    check(csv, label = '') {
        return this.post('/admin/paper/check', { csv, label });
    }

    /** Checks, then commits what the page of the check holds. */
    async bringIn(csv, label = '') {
        const page = await this.check(csv, label);
        assert.equal(page.status, 200, page.text);
        return this.post('/admin/paper', commitForm(page.text));
    }
}

const unescape = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&#39;|&#x27;/g, '\'')
    .replace(/&amp;/g, '&');
const commitForm = (page) => ({
    csv: unescape(page.match(/<textarea name="csv" hidden>\n([^]*?)<\/textarea>/)[1]),
    after: hidden(page, 'after'),
    label: unescape(hidden(page, 'label')),
});
/** Cells of the table, row by row, without markup. */
const verdicts = (page) => [...page.matchAll(/<tr><th scope="row">(\d+)<\/th><td>([^]*?)<\/td><td>([^]*?)<\/td><\/tr>/g)]
    .map(([, line, name, verdict]) => [Number(line), unescape(name),
        unescape(verdict.replace(/<br>/g, '|').replace(/\s+/g, ' ').trim().replace(/\|$/, '').trim())]);

const FIGURES = `SELECT (SELECT live FROM totals) AS live, (SELECT signatures FROM totals) AS signatures,
    (SELECT COUNT(*) FROM log_entry) AS entries, (SELECT COUNT(*) FROM paper_batch) AS batches`;
const figures = async () => ({ ...(await query(service.dir, FIGURES))[0] });
const batches = () => query(service.dir, 'SELECT * FROM paper_batch ORDER BY id');

const GOOD = 'name,contact,country,visibility\r\nSok Dara,sok@example.org,KH,public\r\n=1+1,,FR,\r\n"<b>, ""x""",SOK@example.org,KH,\r\n';

test('whoever is not logged in sees and changes nothing', async () => {
    for (const target of ['/admin/paper', '/admin/paper/1/remove'])
        assert.equal((await service.get(target)).headers.location, '/admin/login');
    const before_ = await figures();
    for (const target of ['/admin/paper', '/admin/paper/check', '/admin/paper/1/remove'])
        assert.equal((await service.form(target, { csv: GOOD, why: 'test' })).status, 303);
    assert.deepEqual(await figures(), before_);
});

test('the dry run says a verdict for each row and stores nothing', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    const page = await desk.check(GOOD, 'box <7>');
    assert.equal(page.status, 200);
    assert.deepEqual(verdicts(page.text), [
        [2, 'Sok Dara', 'correct'],
        [3, '=1+1', 'correct – without an e-mail address or phone number'],
        [4, '<b>, "x"', 'correct – the same e-mail address or phone number as in a row before: counts once'],
    ]);
    assert.match(page.text, /Rows: 3\. All of them are correct\. Nothing is stored yet/);
    assert.match(page.text, /Repeats of .* in these rows: 1;.*Rows without an e-mail address or phone number: 1;/);
    assert.deepEqual(commitForm(page.text), { csv: GOOD, after: '0', label: 'box <7>' });
    assert.doesNotMatch(page.text, /<script|onclick/);
    assert.deepEqual(await figures(), before_);
});

test('wrong rows and wrong files are explained, and cannot be brought in', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    const wrong = `${GOOD},nobody,XX,all\r\nwww.x.org,a@,KH,\r\nA,B\r\n`;
    for (const answer of [await desk.check(wrong), await desk.post('/admin/paper', { csv: wrong, after: '0' })]) {
        assert.equal(answer.status, 422);
        assert.match(answer.text, /Wrong rows: 3 of 6\. Nothing was stored/);
        assert.deepEqual(verdicts(answer.text).slice(3), [
            [5, '', 'name: is missing| contact: is neither an e-mail address nor a phone number| '
                + 'country: is not one of the possible values| visibility: is not one of the possible values'],
            [6, 'www.x.org', 'name: has a web address in it| contact: is not a complete e-mail address'],
            [7, '', 'more or fewer cells than columns. Put a cell that holds a comma between quotation marks.'],
        ]);
        assert.doesNotMatch(answer.text, /action="\/admin\/paper"/, 'there is no button to bring it in');
        assert.ok(unescape(answer.text).includes('www.x.org,a@,KH,'), 'the rows are there to be mended');
    }
    for (const [csv, fault] of [['', /Line 1: there are no rows/], ['name\nA\n', /Line 1: there is no column “country”/],
        ['a,b\n1,2\n', /Line 1: there is a column of another name/], ['name,country\n"A,KH\n', /Line 2: a quotation mark is not closed/],
        [`name,country\n${'A,KH\n'.repeat(5001)}`, /Line 5002: there are more than 5,000 rows/]]) {
        const answer = await desk.check(csv);
        assert.equal(answer.status, 422);
        assert.match(answer.text, fault);
    }
    assert.equal((await desk.check(GOOD, 'x'.repeat(201))).status, 422);
    assert.deepEqual(await figures(), before_);
});

test('a batch comes in once, however often its form is sent, and is listed', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    const page = await desk.check(GOOD, 'Battambang, box 7');
    const answers = await parallel(6, 6, () => desk.post('/admin/paper', commitForm(page.text)));
    assert.deepEqual(answers.filter(({ status }) => status === 303).map(({ headers }) => headers.location),
        ['/admin/paper?said=paper_in']);
    assert.ok(answers.every(({ status }) => [303, 409, 503].includes(status)));
    const late = await desk.post('/admin/paper', commitForm(page.text));
    assert.equal(late.status, 409);
    assert.match(late.text, /A batch has come in since you checked these rows/);
    const after_ = await figures();
    assert.deepEqual(after_, { live: before_.live + 3, signatures: before_.signatures + 2, entries: before_.entries + 3,
        batches: before_.batches + 1 });
    const list = (await desk.get('/admin/paper?said=paper_in')).text;
    assert.match(list, /The batch is in\./);
    assert.match(list, /Batch 1 – Battambang, box 7/);
    assert.match(list, /Rows on paper, in now: 3\. Rows that came in without an e-mail address or phone number: 1\./);
    assert.match(list, /Rows in now: 3 of 3\. Came in without an e-mail address or phone number: 1\.<br>Complete/);
    const audit = await query(service.dir, 'SELECT who, act, detail FROM audit WHERE act LIKE \'paper.%\'');
    assert.deepEqual(audit.map((row) => ({ ...row })), [{ who: 'anna', act: 'paper.import', detail: '1' }]);
});

test('no verdict depends on who has signed', async () => {
    const desk = await Desk.enter();
    const csv = (contact) => `name,contact,country\nA,${contact},KH\n`;
    await service.sign(signer('known'));
    const known = await desk.check(csv('signer-known@example.org'));
    const other = await desk.check(csv('signer-other@example.org'));
    assert.equal(known.text.replaceAll('known', 'other'), other.text);
});

test('a batch is taken out whole, with a reason, and the rest stays', async () => {
    const desk = await Desk.enter();
    await service.sign(signer('stays', { contact: 'both@example.org' }));
    const before_ = await figures();
    await desk.bringIn('name,contact,country\nA,both@example.org,KH\nB,,KH\nC,,KH\n');
    const { id } = (await batches()).at(-1);
    const ask = await desk.get(`/admin/paper/${id}/remove`);
    assert.match(ask.text, /rows that will be removed: 3\./);
    assert.doesNotMatch(ask.text, /value="lost"/);
    for (const why of ['', 'lost', 'nonsense'])
        assert.equal((await desk.post(`/admin/paper/${id}/remove`, { why })).status, 422);
    assert.equal((await figures()).live, before_.live + 3);
    const done = await desk.post(`/admin/paper/${id}/remove`, { why: 'fraud' });
    assert.equal(done.headers.location, '/admin/paper?said=paper_out');
    assert.deepEqual(await figures(), { ...before_, entries: before_.entries + 6, batches: before_.batches + 1 });
    const last = await query(service.dir, 'SELECT CAST(body AS TEXT) AS body FROM log_entry ORDER BY idx DESC LIMIT 3');
    assert.ok(last.every(({ body }) => /^\{"v":1,"t":"void","i":\d+,"why":"fraud"\}$/.test(body)));
    assert.equal((await desk.post(`/admin/paper/${id}/remove`, { why: 'test' })).status, 409);
    assert.equal((await desk.post('/admin/paper/999/remove', { why: 'test' })).status, 404);
    assert.equal((await desk.get('/admin/paper/999/remove')).status, 404);
    assert.match((await desk.get('/admin/paper')).text, /Rows in now: 0 of 3\..*Removed/s);
});

test('a batch that a crash cut off is shown as such, is taken out, and comes in again', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    const file = path.join(scratch(), 'big.csv');
    writeFileSync(file, `name,country\n${'A,KH\n'.repeat(60_000)}`);
    const running = service.cli(['import', file]);
    await until(async () => (await batches()).at(-1).live > 500, 'rows come in');
    const during = await desk.get('/admin/paper');
    assert.match(during.text, /of 60,000\.[^<]*<br>In progress/);
    await service.kill9();
    await running;
    await service.start();
    const { id, live } = (await batches()).at(-1);
    assert.ok(live > 500 && live < 60_000);
    const list = await desk.get('/admin/paper');
    assert.match(list.text, /of 60,000\.[^<]*<br>Interrupted: not all rows came in\. Remove the batch/);
    assert.equal((await desk.post(`/admin/paper/${id}/remove`, { why: 'test' })).headers.location, '/admin/paper?said=paper_out');
    const after_ = await figures();
    assert.deepEqual({ live: after_.live, signatures: after_.signatures },
        { live: before_.live, signatures: before_.signatures });
    const again = await service.cli(['import', file]);
    assert.equal(again.status, 0, again.stderr);
    assert.equal((await figures()).live, before_.live + 60_000);
    await desk.post(`/admin/paper/${id + 1}/remove`, { why: 'test' });
});

test('a reader sees the list, but brings nothing in and takes nothing out', async () => {
    const owner = await Desk.enter();
    const set = await owner.post('/admin/organisers/role', { name: 'rita', role: 'reader', password: PASSWORD });
    assert.ok(set.status === 303, `${set.status}`);
    const desk = await Desk.enter('rita');
    desk.token ??= hidden((await desk.get('/admin')).text, 'form');
    const list = await desk.get('/admin/paper');
    assert.equal(list.status, 200);
    assert.doesNotMatch(list.text, /<textarea|\/remove"/);
    const before_ = await figures();
    assert.equal((await desk.check(GOOD)).status, 403);
    assert.equal((await desk.post('/admin/paper', { csv: GOOD, after: String(before_.batches) })).status, 403);
    assert.equal((await desk.post('/admin/paper/1/remove', { why: 'test' })).status, 403);
    assert.deepEqual(await figures(), before_);
});

test('a form without the session’s token is refused', async () => {
    const desk = await Desk.enter();
    const other = await Desk.enter();
    for (const form of ['', other.token])
        for (const target of ['/admin/paper', '/admin/paper/check', '/admin/paper/1/remove'])
            assert.equal((await desk.post(target, { form, csv: GOOD, after: '1', why: 'test' })).status, 403);
});

test('large forms are for live sessions, four at once, at most 1 MiB; anybody else is sent to the log-in', async () => {
    const desk = await Desk.enter();
    const csv = `name,country\n${'A,KH\n'.repeat(4000)}`;
    const page = await desk.check(csv);
    assert.equal(page.status, 200);
    assert.equal(verdicts(page.text).length, 4000);
    const gone = await Desk.enter();
    await gone.get('/admin/paper');
    assert.equal((await gone.post('/admin/logout')).status, 303);
    const random = `__Host-petition=${randomBytes(32).toString('base64url')}`;
    for (const headers of [{}, ...['__Host-petition=', '__Host-petition=short', random, gone.cookie].map((cookie) => ({ cookie }))])
        for (const target of ['/admin/paper/check', '/admin/paper']) {
            const answer = await service.form(target, { form: desk.token, csv }, headers);
            assert.equal(answer.status, 303, JSON.stringify(headers));
            assert.equal(answer.headers.location, '/admin/login');
        }
    assert.equal((await service.form('/admin/paper/check', `csv=${'x'.repeat(1024 * 1024 - 3)}`, { cookie: desk.cookie })).status,
        413, 'read away, for it is just above');
    assert.equal((await desk.post('/admin/logout', { more: 'x'.repeat(20_000) })).status, 413, 'no other form is large');
    // Four that are being sent take all places; small forms still get through.
    const head = (length, cookie = desk.cookie) => `POST /admin/paper/check HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n`
        + `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${length}\r\n\r\ncsv=`;
    const slow = Array.from({ length: 4 }, () => service.raw(head(500_000), 1500));
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal((await desk.check(csv)).status, 503);
    assert.equal((await desk.check(GOOD)).status, 200);
    await Promise.all(slow);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal((await desk.check(csv)).status, 200, 'their places are free again');
    // Any number of strangers takes none.
    const strangers = Array.from({ length: 12 }, (_, i) => service.raw(head(500_000, i % 2 ? random : gone.cookie), 1500));
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal((await desk.check(csv)).status, 200, 'while they are sending');
    await Promise.all(strangers);
    // A page that was opened before a restart can be sent after it.
    await service.restart();
    assert.equal((await desk.check(csv)).status, 200);
});

test('every page is there in three languages, with every text', async () => {
    const desk = await Desk.enter();
    for (const lang of ['fr', 'km', 'en']) {
        const pages = [await desk.get(`/admin/paper?lang=${lang}`), await desk.check(GOOD), await desk.check(`${GOOD}A,B,C\n`),
            await desk.get('/admin/paper/1/remove'), await desk.post('/admin/paper', { csv: GOOD, after: '77' })];
        for (const { text } of pages) {
            assert.match(text, new RegExp(`<html lang="${lang}">`));
            assert.doesNotMatch(text, /desk\.[a-z_]+\.|\{[a-z_]+\}/, `a text is missing: ${text.match(/desk\.[a-z_.]+|\{[a-z_]+\}/)}`);
        }
    }
});

test('no name, contact or label of a sheet is in what the server says', () => {
    assert.doesNotMatch(service.stderr, /Sok|sok@|Battambang|both@/);
});
