// Paper sheets at the desk, pasted or as a file: the dry run with a verdict for each row, bringing a batch in,
// the list, and taking a batch out, in three languages and without any script.

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

    /** Sends parts as multipart/form-data: [name, value], or [name, bytes, file name]. */
    async send(target, parts, form = this.token) {
        const data = new FormData();
        if (form !== undefined)
            data.append('form', form);
        for (const [name, value, file] of parts)
            if (file === undefined)
                data.append(name, value);
            else
                data.append(name, new Blob([value], { type: 'text/csv' }), file);
        const encoded = new Response(data);
        return this.raw(target, Buffer.from(await encoded.arrayBuffer()), encoded.headers.get('content-type'));
    }

    raw(target, body, type) {
        return service.form(target, body, { cookie: this.cookie, 'content-type': type });
    }

    upload(csv, label = '') {
        return this.send('/admin/paper/check', [['file', csv, 'sheet.csv'], ['label', label]]);
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

test('a file gives the dry run of its rows, pasted, and is brought in from there', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    for (const [csv, status] of [[GOOD, 200], [`${GOOD}nobody,XX\n`, 422], ['name\nA\n', 422], ['', 422], ['\uFEFFname;country\nA;KH\n', 200]]) {
        const [file, pasted] = [await desk.upload(csv, 'box <7>'), await desk.check(csv, 'box <7>')];
        assert.equal(file.status, status);
        assert.equal(file.text, pasted.text);
    }
    assert.deepEqual(await figures(), before_, 'nothing is stored');
    const page = await desk.upload(GOOD, 'by file');
    assert.match(page.text, /<form method="post" action="\/admin\/paper" enctype="multipart\/form-data">/);
    const done = await desk.send('/admin/paper', Object.entries(commitForm(page.text)));
    assert.equal(done.headers.location, '/admin/paper?said=paper_in');
    assert.equal((await figures()).live, before_.live + 3);
    assert.equal((await batches()).at(-1).label, 'by file');
});

test('what fits into the dry run fits into the commit, in Khmer too; more than 1 MB is refused', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    const row = `${'ក'.repeat(60)},,KH,\n`;
    const csv = `name,contact,country,visibility\n${row.repeat(5000)}`;
    assert.ok(Buffer.byteLength(csv) < 1_000_000 && encodeURIComponent(csv).length > 2 * 1024 * 1024, 'urlencoded it would not fit');
    const page = await desk.upload(csv);
    assert.equal(page.status, 200);
    // A browser sends the lines of a textarea with CRLF.
    const fields = { ...commitForm(page.text) };
    fields.csv = fields.csv.replaceAll('\n', '\r\n');
    assert.equal((await desk.send('/admin/paper', Object.entries(fields))).status, 303);
    assert.equal((await figures()).live, before_.live + 5000);
    for (const [field, parts] of [['file', [['file', 'x'.repeat(1_000_001), 'a.csv']]], ['csv', [['csv', 'x'.repeat(1_000_001)]]]]) {
        const answer = await desk.send('/admin/paper/check', parts);
        assert.equal(answer.status, 422);
        assert.match(answer.text, new RegExp(`href="#${field}">This is more than 1 MB\\.`));
    }
    assert.equal((await desk.upload('x'.repeat(1024 * 1024))).status, 413);
});

/** A refusal that names the field: in the summary, beside it, and what was pasted is still there. */
function assertProblem(answer, text) {
    assert.equal(answer.status, 422, answer.text);
    assert.match(answer.text, new RegExp(`<div class="box bad" role="alert"[^]*<li><a href="#file">${text}</a></li>`));
    assert.match(answer.text, new RegExp(`<p class="error" id="file-error">${text}</p>\\s*<input type="file" id="file"[^>]*file-error" aria-invalid="true"`));
    assert.doesNotMatch(answer.text, /action="\/admin\/paper"/);
}

test('no file, two files, and a file beside pasted text are refused beside the field', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    const check = (...parts) => desk.send('/admin/paper/check', [...parts, ['label', 'box 9']]);
    const [none, two, both] = ['Choose the file with the rows\\.', 'Choose only one file\\. [^<]*', 'A file and pasted text came together\\. [^<]*'];
    assertProblem(await check(), none);
    assertProblem(await check(['file', '', '']), none); // what a browser sends if none was chosen
    assertProblem(await check(['file', GOOD]), none); // a field, no file
    assertProblem(await check(['sheet', GOOD, 'a.csv']), none);
    assertProblem(await check(['file', GOOD, 'a.csv'], ['file', GOOD, 'b.csv']), two);
    assertProblem(await check(['file', '', 'a.csv'], ['file', GOOD, 'b.csv']), two);
    assertProblem(await check(['file', GOOD, 'a.csv'], ['other', GOOD, 'b.csv']), two);
    const mixed = await check(['file', GOOD, 'a.csv'], ['csv', 'name,country\nA,KH']);
    assertProblem(mixed, both);
    assert.match(mixed.text, /<textarea id="csv"[^>]*>\nname,country\r?\nA,KH<\/textarea>/);
    assert.match(mixed.text, /id="file-label" name="label" value="box 9"/);
    assertProblem(await check(['csv', GOOD], ['csv', GOOD], ['file', GOOD, 'a.csv']), both);
    assert.equal((await check(['file', GOOD, 'a.csv'], ['csv', ''])).status, 200, 'an empty field beside it is none');
    const twice = await check(['csv', GOOD], ['csv', GOOD]);
    assert.equal(twice.status, 422);
    assert.match(twice.text, /there are no rows/, 'as it is urlencoded');
    assert.match((await desk.upload('')).text, /Line 1: there are no rows/);
    const commit = await desk.send('/admin/paper', [['file', GOOD, 'a.csv'], ['after', String(before_.batches)]]);
    assert.equal(commit.status, 422, 'the second step takes no file');
    assert.deepEqual(await figures(), before_);
});

test('a file in another encoding is explained, and not shown', async () => {
    const desk = await Desk.enter();
    const utf16 = (text) => Buffer.from(text, 'utf16le');
    const swapped = Buffer.from(utf16('\uFEFFname\tcountry\r\n')).swap16();
    for (const [bytes, line] of [[utf16('\uFEFFname\tcountry\r\nSok\tKH\r\n'), 1], [swapped, 1], [utf16('name,country\r\nA,KH'), 1],
        [Buffer.from('name,country\nRen\xE9,FR\n', 'latin1'), 2], [Buffer.from('name,country\nA,KH\nB\0C,KH\n'), 3],
        [Buffer.from('504b0304140006000800', 'hex'), 1], [Buffer.alloc(100), 1]]) {
        const answer = await desk.upload(bytes);
        assert.equal(answer.status, 422);
        assert.match(answer.text, new RegExp(`Line ${line}: this is not text in UTF-8\\. Save the sheet as “CSV UTF-8”`));
        assert.match(answer.text, /<textarea id="csv"[^>]*>\n<\/textarea>/);
    }
});

// A multipart body as bytes: what stands between the pieces can be broken.
const BOUNDARY = '----formBoundary7';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;
const part = (head, value) => `--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`;
const body = (token, more = '') => `${part('name="form"', token)}${part('name="label"', 'box')}`
    + `${part('name="file"; filename="a.csv"\r\nContent-Type: text/csv', GOOD)}${more}--${BOUNDARY}--\r\n`;

test('a broken multipart body is 400, at whatever byte it is cut off', async () => {
    const desk = await Desk.enter();
    const check = (text, type = TYPE) => desk.raw('/admin/paper/check', text, type);
    const good = body(desk.token);
    assert.equal((await check(good)).status, 200);
    assert.equal((await check(good.slice(0, -2))).status, 200, 'the last line break may be missing');
    assert.equal((await check(good, `multipart/form-data; boundary="${BOUNDARY}"`)).status, 200);
    const broken = {
        'no parts': `--${BOUNDARY}\r\n`,
        'nothing': '',
        'a preamble': `x\r\n${good}`,
        'an epilogue': `${good}x`,
        'NUL behind the end': `${good.slice(0, -2)}\0\0`,
        'a part without a name': body(desk.token, part('filename="b.csv"', GOOD)),
        'an empty name': body(desk.token, part('name=""', 'x')),
        'a name that is not UTF-8': Buffer.from(body(desk.token, part('name="\xE9"', 'x')), 'latin1'),
        'a field that is not UTF-8': Buffer.from(body(desk.token, part('name="x"', '\xE9')), 'latin1'),
        'a field with NUL': body(desk.token, part('name="x"', 'a\0b')),
        'no headers': body(desk.token, `--${BOUNDARY}\r\nrest\r\n`),
        'a transfer encoding': body(desk.token, part('name="x"\r\nContent-Transfer-Encoding: base64', 'eA==')),
        'a header that does not end': body(desk.token, part(`name="x"; filename="${'y'.repeat(5000)}`, 'x')),
        'too many parts': body(desk.token, part('name="x"', 'x').repeat(40)),
    };
    for (const [what, text] of Object.entries(broken))
        assert.equal((await check(text)).status, 400, what);
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary="',
        'multipart/form-data; boundary=""', `${TYPE}x`, `multipart/form-data; boundary="${BOUNDARY}`, `${TYPE}; charset=utf-8`,
        `multipart/form-data; boundary=${'x'.repeat(71)}`, 'multipart/form-data; boundary=a b'])
        assert.equal((await check(good, type)).status, 400, type);
    assert.match((await check(good.slice(0, -5))).text, /The form could not be read\. Open the page again and fill it in once more\./);
    const inner = (last) => `--x\r\nContent-Disposition: attachment; filename="b.csv"\r\n\r\n${GOOD}\r\n--x\r\n`
        + `Content-Disposition: attachment; filename="c.csv"\r\n\r\n${GOOD}${last}`;
    for (const last of ['\r\n--x--', '\r\n--x', ''])
        for (const boundary of ['; boundary=x', '; boundary=', ''])
            assert.equal((await check(body(desk.token, part(`name="more"\r\nContent-Type: multipart/mixed${boundary}`, inner(last))))).status,
                400, 'a form within the form');
    // Behind a file that was not chosen, too: its part is gone when the next one begins.
    for (const whole of [good, body(desk.token, part('name="more"; filename=""', '') + part('name="x"', GOOD))])
        for (let cut = 0; cut < whole.length - 2; cut++) {
            const { status } = await check(whole.slice(0, cut));
            assert.equal(status, 400, `cut at ${cut}`);
        }
});

test('no mutated multipart body brings the server down', async () => {
    const desk = await Desk.enter();
    const before_ = await figures();
    const { pid } = service.child;
    const good = Buffer.from(body(desk.token));
    let seed = 7;
    const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
    const pieces = [`--${BOUNDARY}`, '\r\n', '\r\n--', '--', '\0', '"', 'name="', 'filename="', '\n', '\r',
        'Content-Type: multipart/mixed; boundary=x\r\n', 'Content-Type: multipart/mixed; boundary=\r\n', '\r\n--x', '\r\n--x--', `\r\n--${BOUNDARY}--`];
    const mutate = (bytes) => {
        const at = random(bytes.length);
        const [left, right] = [bytes.subarray(0, at), bytes.subarray(at)];
        return [() => Buffer.concat([left, Buffer.from(pieces[random(pieces.length)]), right]),
            () => Buffer.concat([left, right.subarray(random(40))]),
            () => Buffer.concat([left, Buffer.from([random(256)]), right.subarray(1)]),
            () => Buffer.concat([left, right.subarray(0, random(200)), right])][random(4)]();
    };
    const seen = {};
    for (let i = 0; i < 600; i++) {
        let bytes = good;
        for (let times = 1 + random(3); times > 0; times--)
            bytes = mutate(bytes);
        const { status } = await desk.raw('/admin/paper/check', bytes, TYPE);
        assert.ok([200, 400, 403, 422].includes(status), `${status}: ${JSON.stringify(bytes.toString('latin1'))}`);
        seen[status] = (seen[status] ?? 0) + 1;
    }
    for (const status of [200, 400, 403, 422])
        assert.ok(seen[status] > 0, `${status} occurs: ${JSON.stringify(seen)}`);
    assert.equal(service.child.pid, pid);
    assert.equal(service.child.exitCode, null);
    assert.equal((await desk.upload(GOOD)).status, 200);
    assert.deepEqual(await figures(), before_);
});

test('a file needs the log-in, the role and the token; other types and other forms stay as they were', async () => {
    const desk = await Desk.enter();
    const other = await Desk.enter();
    const file = ['file', GOOD, 'a.csv'];
    for (const token of [undefined, '', other.token])
        assert.equal((await desk.send('/admin/paper/check', [file], token ?? '')).status, 403);
    assert.equal((await desk.send('/admin/paper/check', [file, ['form', desk.token]])).status, 403, 'the token twice is none');
    assert.equal((await desk.send('/admin/paper/check', [['form', desk.token, 'token'], file], '')).status, 403);
    const rita = await Desk.enter('rita');
    rita.token ??= hidden((await rita.get('/admin')).text, 'form');
    assert.equal((await rita.upload(GOOD)).status, 403);
    const nobody = Object.assign(new Desk(), { cookie: '', token: desk.token });
    for (const csv of [GOOD, `name,country\n${'A,KH\n'.repeat(4000)}`])
        assert.equal((await nobody.upload(csv)).headers.location, '/admin/login');
    for (const type of ['text/csv', 'text/plain', 'application/json', 'multipart/mixed; boundary=x', 'multipart/form-datax; boundary=x', ''])
        assert.equal((await desk.raw('/admin/paper/check', body(desk.token), type)).status, 415, type);
    for (const target of ['/admin/login', '/admin/logout', '/admin/find', '/admin/void', '/admin/paper/1/remove', '/admin/account/password',
        '/admin/exports/sealed.jsonl', '/en/sign', '/en/withdraw', '/en/receipt', '/api/v1/signatures', '/api/v1/withdraw'])
        assert.equal((await desk.raw(target, body(desk.token), TYPE)).status, 415, target);
    // Four that are being sent take all places.
    const head = `POST /admin/paper/check HTTP/1.1\r\nHost: x\r\nCookie: ${desk.cookie}\r\nContent-Type: ${TYPE}\r\n`
        + `Content-Length: 500000\r\n\r\n--${BOUNDARY}`;
    const slow = Array.from({ length: 4 }, () => service.raw(head, 1500));
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal((await desk.upload(`name,country\n${'A,KH\n'.repeat(4000)}`)).status, 503);
    await Promise.all(slow);
});

test('every page is there in three languages, with every text', async () => {
    const desk = await Desk.enter();
    for (const lang of ['fr', 'km', 'en']) {
        const pages = [await desk.get(`/admin/paper?lang=${lang}`), await desk.check(GOOD), await desk.check(`${GOOD}A,B,C\n`),
            await desk.send('/admin/paper/check', [['file', '', '']]), await desk.send('/admin/paper/check', [['file', GOOD, 'a'], ['csv', 'x']]),
            await desk.get('/admin/paper/1/remove'), await desk.post('/admin/paper', { csv: GOOD, after: '77' })];
        for (const { text } of pages) {
            assert.match(text, new RegExp(`<html lang="${lang}">`));
            assert.doesNotMatch(text, /desk\.[a-z_]+\.|\{[a-z_]+\}/, `a text is missing: ${text.match(/desk\.[a-z_.]+|\{[a-z_]+\}/)}`);
        }
    }
});

test('no name, contact or label of a sheet is in what the server says', () => {
    assert.doesNotMatch(service.stderr, /Sok|sok@|Battambang|both@|a\.csv|sheet\.csv/);
});
