// The desk: who comes in, for how long, and what each role may do.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Desk, PASSWORD, enrolment, formToken, totp } from './desk.mjs';
import { Service, parallel, query, run, signer, sleep, until, withdrawCode } from './harness.mjs';

let service;
let owner;
before(async () => {
    service = await Service.create({ settings: { count_step: 1, publish_min: 1, trusted_proxies: '127.0.0.1' } });
    await service.organiser('admin', PASSWORD);
    owner = await Desk.login(service);
    for (const role of ['reader', 'organiser']) {
        const answer = await owner.post('/admin/organisers', { name: role, role, new: PASSWORD, password: PASSWORD });
        assert.equal(answer.status, 303, answer.text);
    }
});
after(() => service?.close());

// ---- coming in

test('the cookie is of this host only, for https, unseen by scripts, and never sent from elsewhere', async () => {
    const desk = new Desk(service);
    const answer = await desk.tryLogin('admin', PASSWORD);
    assert.match(answer.headers['set-cookie'][0],
        /^__Host-petition=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    const page = await desk.get('/admin');
    assert.equal(page.status, 200);
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.equal(page.headers['x-robots-tag'], 'noindex');
    assert.ok(!page.headers['content-security-policy'].includes('unsafe'));
    const [row] = await query(service.dir, 'SELECT hex(hash) AS hash FROM session LIMIT 1');
    assert.equal(row.hash.length, 64);
});

test('without a session every page leads to the log-in', async () => {
    for (const path of ['/admin', '/admin/deliveries', '/admin/find', '/admin/audit', '/admin/organisers']) {
        const answer = await service.get(path);
        assert.equal(answer.status, 303, path);
        assert.equal(answer.headers.location, '/admin/login');
    }
    const post = await service.form('/admin/deliveries', { form: 'x' });
    assert.equal(post.headers.location, '/admin/login');
});

test('a wrong name, a wrong password and a wrong code get the same words, and take as long', async () => {
    await service.organiser('slow', PASSWORD);
    const time = async (name, password) => {
        const desk = new Desk(service);
        const form = formToken(await desk.get('/admin/login'));
        const start = performance.now();
        const answer = await desk.send('/admin/login', { form, name, password, code: '' });
        return { ms: performance.now() - start, answer };
    };
    const known = await time('slow', 'not the password at all');
    const unknown = await time('nobody-of-that-name', 'not the password at all');
    assert.equal(known.answer.status, 422);
    assert.equal(unknown.answer.status, 422);
    const strip = (text) => text.replace(/name="form" value="[^"]+"/, '');
    assert.equal(strip(known.answer.text), strip(unknown.answer.text));
    assert.ok(unknown.ms > known.ms / 3 && known.ms > unknown.ms / 3, `${known.ms} ${unknown.ms}`);
    assert.ok(!service.stderr.includes('nobody-of-that-name'));
});

test('after failures a name waits longer and longer, whether it exists or not; others do not', async () => {
    for (const name of ['waiting', 'not-there']) {
        if (name === 'waiting')
            await service.organiser(name, PASSWORD);
        const desk = new Desk(service);
        assert.equal((await desk.tryLogin(name, 'wrong wrong wrong')).status, 422);
        assert.equal((await desk.tryLogin(name, PASSWORD)).status, 429, name);
        assert.equal((await new Desk(service).tryLogin('reader', PASSWORD)).status, 303);
    }
    const desk = new Desk(service);
    await until(async () => (await desk.tryLogin('waiting', 'wrong again and again')).status === 422, 'a second try');
    await sleep(1100);
    assert.equal((await desk.tryLogin('waiting', PASSWORD)).status, 429);
    await service.succeed(['organiser', 'passwd', 'waiting'], { stdin: `${PASSWORD}\n` });
    assert.equal((await desk.tryLogin('waiting', PASSWORD)).status, 303, 'the operator ends the waiting');
});

test('a log-in needs the form of this browser: no other site can log it in', async () => {
    const desk = new Desk(service);
    const form = formToken(await desk.get('/admin/login'));
    for (const fields of [{}, { form: '' }, { form: `x${form}` }])
        assert.equal((await desk.send('/admin/login', { name: 'admin', password: PASSWORD, ...fields })).status, 403);
    assert.equal((await service.form('/admin/login', { form, name: 'admin', password: PASSWORD })).status, 403);
});

test('more log-ins than the queue holds get 503, and later ones are let in', async () => {
    const desks = await parallel(24, 24, async () => {
        const desk = new Desk(service);
        return { desk, form: formToken(await desk.get('/admin/login')) };
    });
    const answers = await parallel(24, 24, (i) => desks[i].desk.send('/admin/login',
        { form: desks[i].form, name: `crowd-${i}`, password: 'wrong wrong wrong', code: '' }, { 'x-forwarded-for': `192.0.2.${i}` }));
    const statuses = answers.map((answer) => answer.status);
    assert.ok(statuses.filter((status) => status === 503).length >= 8, statuses.join(' '));
    assert.ok(statuses.filter((status) => status === 422).length >= 8, statuses.join(' '));
    assert.equal((await new Desk(service).tryLogin('admin', PASSWORD)).status, 303);
});

// ---- going out

test('a cookie stolen before the log-out opens nothing after it', async () => {
    const desk = await Desk.login(service);
    const stolen = desk.cookie;
    assert.equal((await service.get('/admin', { cookie: stolen })).status, 200);
    const out = await desk.post('/admin/logout');
    assert.equal(out.headers.location, '/admin/login?said=out');
    assert.match(out.headers['set-cookie'][0], /Max-Age=0/);
    assert.equal((await service.get('/admin', { cookie: stolen })).status, 303);
});

test('logging out everywhere, and a new password, end all sessions of that organiser only', async () => {
    const one = await Desk.login(service, 'reader');
    const two = await Desk.login(service, 'reader');
    await one.post('/admin/logout-all');
    assert.equal((await two.get('/admin')).status, 303);
    const three = await Desk.login(service, 'reader');
    await service.succeed(['organiser', 'passwd', 'reader'], { stdin: `${PASSWORD}\n` });
    assert.equal((await three.get('/admin')).status, 303);
    const four = await Desk.login(service, 'reader');
    const five = await Desk.login(service, 'reader');
    const changed = await four.post('/admin/account/password',
        { password: PASSWORD, new: `${PASSWORD}!`, again: `${PASSWORD}!` });
    assert.equal(changed.status, 303, changed.text);
    assert.equal((await five.get('/admin')).status, 303);
    assert.equal((await new Desk(service).tryLogin('reader', `${PASSWORD}!`)).status, 303);
    await service.succeed(['organiser', 'passwd', 'reader'], { stdin: `${PASSWORD}\n` });
    assert.equal((await owner.get('/admin')).status, 200);
});

test('a session ends after 15 minutes without a request, and after 8 hours whatever happens', async () => {
    const old = await Service.create();
    try {
        await old.organiser('admin', PASSWORD);
        const desk = await Desk.login(old);
        const age = async (sql) => {
            await old.stop();
            const done = await run('sqlite3', [old.file('petition.db'), `UPDATE session SET ${sql}`]);
            assert.equal(done.status, 0, done.stderr);
            await old.start();
        };
        await age('seen_s = seen_s - 880');
        assert.equal((await desk.get('/admin')).status, 200, 'just in time');
        await age('seen_s = unixepoch() - 901');
        assert.equal((await desk.get('/admin')).status, 303, 'idle');
        assert.deepEqual(await query(old.dir, 'SELECT * FROM session'), []);
        const again = await Desk.login(old);
        await age('created_s = created_s - 8 * 3600, seen_s = unixepoch()');
        assert.equal((await again.get('/admin')).status, 303, 'eight hours');
    } finally {
        await old.close();
    }
});

test('a log-in makes a new cookie and ends the session that the browser had', async () => {
    const desk = await Desk.login(service);
    const before = desk.cookie;
    assert.equal((await desk.tryLogin('admin', PASSWORD)).status, 303);
    assert.notEqual(desk.cookie, before);
    assert.equal((await service.get('/admin', { cookie: before })).status, 303);
});

// ---- forms

test('a POST without the form token, or with that of another session, is refused', async () => {
    const other = await Desk.login(service, 'organiser');
    const foreign = formToken(await other.get('/admin/account'));
    for (const fields of [{}, { form: '' }, { form: foreign }, { form: `${foreign}x` }]) {
        const answer = await owner.send('/admin/deliveries', fields);
        assert.equal(answer.status, 403, JSON.stringify(fields));
    }
    const cross = await owner.send('/admin/deliveries', { form: formToken(await owner.get('/admin')) },
        { origin: 'https://evil.example' });
    assert.equal(cross.status, 403);
    assert.deepEqual(await query(service.dir, 'SELECT * FROM delivery'), []);
});

// ---- roles

const ROUTES = [
    ['GET', '/admin', 'reader', 200],
    ['GET', '/admin/deliveries', 'reader', 200],
    ['GET', '/admin/deliveries/99', 'reader', 404],
    ['GET', '/admin/letters', 'reader', 200],
    ['GET', '/admin/letters/1/1-en', 'reader', 200],
    ['GET', '/admin/audit', 'reader', 200],
    ['GET', '/admin/account', 'reader', 200],
    ['GET', '/admin/find', 'organiser', 200],
    ['GET', '/admin/exports', 'organiser', 200],
    ['GET', '/admin/deliveries/99/bundles/1.zip', 'organiser', 404],
    ['GET', '/admin/deliveries/99/all.zip', 'organiser', 404],
    ['GET', '/admin/deliveries/99/handover/1', 'organiser', 404],
    ['GET', '/admin/deliveries/99/complete', 'organiser', 404],
    ['GET', '/admin/organisers', 'owner', 200],
    ['POST', '/admin/find', 'organiser', 422],
    ['POST', '/admin/void/preview', 'organiser', 422],
    ['POST', '/admin/void', 'organiser', 422],
    ['POST', '/admin/deliveries/99/handover/1', 'organiser', 422],
    ['POST', '/admin/deliveries/99/complete', 'organiser', 422],
    ['POST', '/admin/organisers', 'owner', 422],
    ['POST', '/admin/organisers/role', 'owner', 422],
    ['POST', '/admin/organisers/remove', 'owner', 422],
    ['POST', '/admin/organisers/totp', 'owner', 422],
];

test('each role is let in where it may go, and nowhere else', async () => {
    const ranks = ['reader', 'organiser', 'owner'];
    const desks = { reader: await Desk.login(service, 'reader'), organiser: await Desk.login(service, 'organiser'), owner };
    for (const [method, path, least, status] of ROUTES) {
        for (const role of ranks) {
            const answer = method === 'GET' ? await desks[role].get(path) : await desks[role].post(path);
            const may = ranks.indexOf(role) >= ranks.indexOf(least);
            // What a form lacks shows before the role does, and changes nothing either way.
            const refused = method === 'POST' && status === 422 && path !== '/admin/find' ? [403, 422] : [403];
            if (may)
                assert.equal(answer.status, status, `${role} ${method} ${path}`);
            else
                assert.ok(refused.includes(answer.status), `${role} ${method} ${path}: ${answer.status}`);
        }
    }
    for (const path of ['/admin/deliveries', '/admin/exports/counts.csv', '/admin/exports/sealed.jsonl'])
        assert.equal((await desks.reader.post(path, { password: PASSWORD })).status, 403, path);
    for (const path of ['/admin/void', '/admin/void/preview'])
        assert.equal((await desks.reader.post(path, { index: 1, why: 'test' })).status, 403, path);
    assert.equal((await desks.organiser.post('/admin/organisers', { name: 'x', role: 'owner', new: PASSWORD, password: PASSWORD })).status, 403);
    assert.equal((await desks.organiser.post('/admin/organisers/role', { name: 'organiser', role: 'owner' })).status, 403);
    assert.deepEqual(await query(service.dir, 'SELECT * FROM delivery'), []);
});

test('the last owner stays one, and a role holds for sessions and tokens from the next request', async () => {
    const give = async (name, role) => (await owner.post('/admin/organisers/role', { name, role, password: PASSWORD })).status;
    for (const name of ['slow', 'waiting']) // the operator's are owners
        assert.equal(await give(name, 'reader'), 303);
    assert.equal(await give('admin', 'reader'), 409);
    assert.equal(await give('nobody', 'reader'), 404);
    const token = await service.token('organiser');
    const desk = await Desk.login(service, 'organiser');
    const rights = async () => [
        (await service.get('/api/v1/export/counts.csv', { authorization: `Bearer ${token}` })).status,
        (await desk.get('/admin/find')).status,
    ];
    assert.deepEqual(await rights(), [200, 200]);
    assert.equal(await give('organiser', 'reader'), 303);
    assert.deepEqual(await rights(), [403, 403]);
    assert.equal(await give('organiser', 'organiser'), 303);
});

test('who is removed can do nothing any more, and stays in the journal; the last owner is not removed', async () => {
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        const first = await Desk.login(other);
        const remove = async (name, password = PASSWORD, desk = first) => (await desk.post('/admin/organisers/remove', { name, password })).status;
        const organisers = async () => (await query(other.dir, 'SELECT name FROM organiser ORDER BY name')).map(({ name }) => name);
        assert.equal(await remove('admin'), 409, 'the last owner');
        for (const [name, role] of [['gone', 'organiser'], ['second', 'owner']])
            assert.equal((await first.post('/admin/organisers', { name, role, new: PASSWORD, password: PASSWORD })).status, 303);
        const token = { authorization: `Bearer ${await other.token('gone')}` };
        const desk = await Desk.login(other, 'gone');
        const made = enrolment(await desk.post('/admin/account/totp', { password: PASSWORD }));
        assert.equal((await desk.post('/admin/account/totp/confirm', { ...made, code: totp(made.secret) })).status, 200);
        assert.equal((await other.get('/api/v1/export/counts.csv', token)).status, 200);
        const started = await desk.post('/admin/deliveries');
        assert.equal(started.status, 303);

        assert.equal(await remove('gone', PASSWORD, desk), 403, 'by owners only');
        assert.equal(await remove('nobody'), 404);
        assert.equal(await remove(''), 422);
        assert.equal(await remove('gone', ''), 422);
        await sleep(2100);
        assert.deepEqual(await organisers(), ['admin', 'gone', 'second']);
        assert.equal(await remove('gone'), 303);
        assert.deepEqual(await organisers(), ['admin', 'second']);
        assert.equal((await desk.get('/admin')).headers.location, '/admin/login');
        assert.equal((await other.get('/api/v1/export/counts.csv', token)).status, 401);
        assert.equal((await new Desk(other).tryLogin('gone', PASSWORD)).status, 422);
        for (const table of ['session', 'token', 'recovery'])
            assert.deepEqual(await query(other.dir, `SELECT 1 FROM ${table} WHERE organiser = 'gone'`), [], table);
        const journal = (await first.get('/admin/audit')).text;
        assert.match(journal, /Removed an organiser<\/strong> – gone/);
        assert.match(journal, /· gone<\/span>/, 'what they did');
        assert.match(journal, /sound up to act \d+: nothing/);
        assert.equal((await first.get(started.headers.location)).status, 200, 'what they did is still shown');

        assert.equal(await remove('admin'), 303, 'an owner may go, too, if another one stays');
        assert.equal((await first.get('/admin')).status, 303);
        const second = await Desk.login(other, 'second');
        assert.equal(await remove('second', PASSWORD, second), 409);
        assert.deepEqual(await organisers(), ['second']);
        for (const [lang, words] of [['en', 'Remove second for good'], ['fr', 'Supprimer second définitivement'], ['km', 'លុប second ចេញជាស្ថាពរ']])
            assert.ok((await second.get(`/admin/organisers?lang=${lang}`)).text.includes(`>${words}</button>`), lang);
    } finally {
        await other.close();
    }
});

// ---- one-time codes

test('a one-time code is needed once turned on, works once, and a recovery code works once', async () => {
    const desk = await Desk.login(service, 'organiser');
    assert.equal((await desk.post('/admin/account/totp', { password: 'wrong wrong wrong' })).status, 422);
    await sleep(2100);
    const page = await desk.post('/admin/account/totp', { password: PASSWORD });
    const { secret, seal } = enrolment(page);
    assert.match(page.text, /<path fill="#000" d="M4 4h1v1h-1z/, 'a QR code');
    const code = totp(secret);
    assert.equal((await desk.post('/admin/account/totp/confirm', { secret, seal, code: '000000' })).status, 422);
    const on = await desk.post('/admin/account/totp/confirm', { secret, seal, code });
    const recovery = [...on.text.matchAll(/<code>([A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{5})<\/code>/g)].map((m) => m[1]);
    assert.equal(recovery.length, 10);

    const attempt = async (typed) => {
        await service.succeed(['organiser', 'passwd', 'organiser'], { stdin: `${PASSWORD}\n` }); // no waiting
        return (await new Desk(service).tryLogin('organiser', PASSWORD, typed)).status;
    };
    assert.equal(await attempt(''), 422);
    assert.equal(await attempt('123456'), 422);
    assert.equal(await attempt(code), 422, 'the code of the enrolment has been used');
    const next = totp(secret, 1);
    assert.equal(await attempt(next), 303);
    assert.equal(await attempt(next), 422, 'replayed');
    assert.equal(await attempt(recovery[0].toLowerCase().replaceAll('-', ' ')), 303);
    assert.equal(await attempt(recovery[0]), 422, 'used up');
    assert.equal(await attempt(recovery[1]), 303);
    const stored = await query(service.dir, 'SELECT count(*) AS n FROM recovery');
    assert.equal(stored[0].n, 8);

    assert.equal((await owner.post('/admin/organisers/totp', { name: 'organiser', password: PASSWORD })).status, 303);
    assert.equal(await attempt(''), 303);
});

test('a session without the password turns no codes on, with a secret of its own or of another session', async () => {
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        const desk = await Desk.login(other);
        const stolen = new Desk(other);
        stolen.jar = new Map(desk.jar);
        const stored = () => query(other.dir, "SELECT totp_secret AS secret FROM organiser WHERE name = 'admin'");
        const confirm = (fields, by = stolen) => by.post('/admin/account/totp/confirm', { ...fields, code: fields.secret ? totp(fields.secret) : '000000' });
        const own = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
        const second = await Desk.login(other);
        const elsewhere = enrolment(await second.post('/admin/account/totp', { password: PASSWORD }));
        const made = enrolment(await desk.post('/admin/account/totp', { password: PASSWORD }));
        const expired = await desk.send('/admin/account/totp/confirm', { form: 'x' });
        const said = (answer) => /<div class="box bad"[^]*?<\/div>/.exec(answer.text)[0];
        for (const fields of [{ secret: own }, { secret: own, seal: '' }, { secret: own, seal: 'x' }, { ...made, secret: own },
            { ...made, seal: `${made.seal[0] === 'A' ? 'B' : 'A'}${made.seal.slice(1)}` }, { secret: made.secret }, elsewhere, { seal: made.seal, secret: '' }]) {
            const answer = await confirm(fields);
            assert.equal(answer.status, 403, JSON.stringify(fields));
            assert.equal(said(answer), said(expired));
            assert.doesNotMatch(answer.text, /[A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{5}/);
        }
        assert.deepEqual((await stored()).map((row) => ({ ...row })), [{ secret: null }]);
        assert.deepEqual(await query(other.dir, "SELECT 1 FROM audit WHERE act LIKE 'totp%'"), []);
        await other.restart();
        assert.equal((await confirm(made, desk)).status, 403, 'its key went with the process');
        const again = enrolment(await desk.post('/admin/account/totp', { password: PASSWORD }));
        assert.equal((await confirm(again, desk)).status, 200);
    } finally {
        await other.close();
    }
});

test('turning codes off, a role and removing need the password, for others and for oneself', async () => {
    const other = await Service.create();
    try {
        await other.organiser('rita', PASSWORD);
        const acts = [['own', '/admin/account/totp/off', {}], ['self', '/admin/organisers/totp', { name: 'self' }],
            ['setter', '/admin/organisers/role', { name: 'rita', role: 'reader' }], ['remover', '/admin/organisers/remove', { name: 'rita' }]];
        const desks = [];
        for (const [name, path] of acts) { // each of them an owner, for a wrong password makes its owner wait
            await other.organiser(name, PASSWORD);
            const desk = await Desk.login(other, name);
            desks.push(desk);
            if (path.includes('totp')) {
                const made = enrolment(await desk.post('/admin/account/totp', { password: PASSWORD }));
                assert.equal((await desk.post('/admin/account/totp/confirm', { ...made, code: totp(made.secret) })).status, 200);
            }
        }
        const state = async () => (await query(other.dir, 'SELECT name, role, totp_secret IS NULL AS bare FROM organiser')).map(
            ({ name, role, bare }) => [name, role, bare].join(' '));
        const before_ = await state();
        assert.deepEqual(before_, ['own 2 0', 'remover 2 1', 'rita 2 1', 'self 2 0', 'setter 2 1']);
        for (const [i, [, path, fields]] of acts.entries()) {
            const answer = await desks[i].post(path, fields);
            assert.equal(answer.status, 422, path);
            assert.match(answer.text, /This is not your password/);
            const forms = (await desks[i].get(path.includes('account') ? '/admin/account' : '/admin/organisers')).text.split('<form ');
            for (const form of forms.filter((text) => text.includes(`action="${path}"`)))
                assert.match(form, /type="password" id="[^"]+" name="password"/, path);
        }
        assert.deepEqual(await state(), before_);
        await sleep(2100);
        for (const [i, [, path, fields]] of acts.entries())
            assert.equal((await desks[i].post(path, { ...fields, password: PASSWORD })).status, 303, path);
        assert.deepEqual(await state(), ['own 2 1', 'remover 2 1', 'self 2 1', 'setter 2 1']);
    } finally {
        await other.close();
    }
});

// ---- finding and removing

test('a signature is found by number, short code and withdrawal code; its name only if not private', async () => {
    const desk = await Desk.login(service, 'organiser');
    const seed = Buffer.alloc(16, 7);
    const hidden = await service.sign(signer(1, { seed: seed.toString('base64') }));
    const open = await service.sign(signer(2, { visibility: 'public' }));
    const find = async (code) => desk.post('/admin/find', { code });
    for (const code of [String(hidden.index), withdrawCode(hidden.index, seed), hidden.short_code, hidden.short_code?.toLowerCase()]) {
        if (!code)
            continue;
        const page = await find(code);
        assert.equal(page.status, 200, code);
        assert.match(page.text, /It counts/);
        assert.ok(!page.text.includes('Signer 1'));
    }
    assert.match((await find(String(open.index))).text, /Signer 2/);
    assert.equal((await find(withdrawCode(hidden.index, Buffer.alloc(16, 8)))).status, 404);
    assert.equal((await find(`${hidden.index}-0000-0000`)).status, 404);
    assert.equal((await find('999999')).status, 404);
    assert.equal((await find('0')).status, 422);
    for (const typed of ['Signer 2', 'signer-2@example.org', '<script>', ''])
        assert.equal((await find(typed)).status, 422);
    await service.withdraw(withdrawCode(hidden.index, seed));
    assert.match((await find(String(hidden.index))).text, /Withdrawn by its signer/);
});

test('a removal shows the count first, then lowers it, in the log, the figures and the trail', async () => {
    const desk = await Desk.login(service, 'organiser');
    const one = await service.sign(signer(50));
    await service.sign(signer(51));
    const again = await service.sign(signer(51, { name: 'Again' }));
    const before = (await query(service.dir, 'SELECT signatures AS n FROM totals'))[0].n;
    const preview = await desk.post('/admin/void/preview', { index: one.index, why: 'fraud' });
    assert.match(preview.text, new RegExp(`from ${before} to ${before - 1}`));
    assert.match((await desk.post('/admin/void/preview', { index: again.index, why: 'duplicate' })).text, /stays the same/);
    assert.equal((await query(service.dir, 'SELECT signatures AS n FROM totals'))[0].n, before, 'nothing yet');
    for (const why of ['', 'lost', 'whim'])
        assert.equal((await desk.post('/admin/void', { index: one.index, why })).status, 422);
    assert.equal((await desk.post('/admin/void', { index: one.index, why: 'fraud' })).status, 303);
    assert.equal((await desk.post('/admin/void', { index: one.index, why: 'fraud' })).status, 409);
    await until(async () => (await service.count()).count === before - 1, 'the public count');
    const [row] = await query(service.dir,
        "SELECT CAST(body AS TEXT) AS body FROM log_entry ORDER BY idx DESC LIMIT 1");
    assert.equal(row.body, `{"v":1,"t":"void","i":${one.index},"why":"fraud"}`);
    assert.match((await desk.post('/admin/find', { code: String(one.index) })).text, /Removed – it is not genuine/);
    assert.match((await desk.get('/admin/audit')).text, new RegExp(`Removed a signature</strong> – ${one.index} – it is not genuine<`));
});

test('petition void removes by the same rules, and says what is wrong', async () => {
    const { index } = await service.sign(signer(60));
    for (const args of [[String(index), 'lost'], ['x', 'test'], ['99999', 'test']]) {
        const result = await service.cli(['void', ...args]);
        assert.equal(result.status, 1);
        assert.equal(result.stderr.trim().split('\n').length, 1);
    }
    assert.equal(await service.succeed(['void', String(index), 'test']), `removed ${index}\n`);
    assert.equal((await service.cli(['void', String(index), 'test'])).status, 1);
    const text = (await owner.get('/admin/audit')).text;
    assert.match(text, new RegExp(`Removed a signature</strong> – ${index} – it was a test<.*· operator<`));
});

// ---- the trail and the exports

test('the trail is shown sound, and a changed row is told', async () => {
    assert.match((await owner.get('/admin/audit')).text, /sound up to act \d+: nothing/);
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        await Desk.login(other);
        await other.stop();
        const sql = "DROP TRIGGER audit_no_update; UPDATE audit SET who = 'somebody' WHERE id = 2";
        assert.equal((await run('sqlite3', [other.file('petition.db'), sql])).status, 0);
        await other.start();
        const desk = await Desk.login(other);
        assert.match((await desk.get('/admin/audit')).text, /sound up to act 1 only, of \d+/);
    } finally {
        await other.close();
    }
});

test('an export needs the password once more', async () => {
    const desk = await Desk.login(service, 'organiser');
    assert.equal((await desk.post('/admin/exports/counts.csv', { password: 'wrong wrong wrong' })).status, 422);
    assert.equal((await desk.post('/admin/exports/counts.csv', { password: PASSWORD })).status, 429, 'it waits');
    await sleep(2100);
    const csv = await desk.post('/admin/exports/counts.csv', { password: PASSWORD });
    assert.match(csv.text, /^country,tier,day,submissions\r\nKH,unconfirmed,/);
    assert.match(csv.headers['content-disposition'], /counts\.csv/);
    const json = await desk.post('/admin/exports/counts.json', { password: PASSWORD });
    assert.equal(json.json.by_country[0].key, 'KH');
    const sealed = await desk.post('/admin/exports/sealed.jsonl', { password: PASSWORD });
    assert.equal(sealed.status, 200);
    assert.ok(sealed.text.split('\n').filter(Boolean).every((line) => JSON.parse(line)));
});

// ---- deliveries

test('a delivery goes from preview to completion; then the files with names are gone', async () => {
    const desk = await Desk.login(service, 'organiser');
    const preview = await desk.get('/admin/deliveries');
    assert.equal([...preview.text.matchAll(/List with the names/g)].length, 18);
    assert.equal([...preview.text.matchAll(/List without any name/g)].length, 1);
    const started = await desk.post('/admin/deliveries');
    const path = started.headers.location.split('?')[0];
    await until(async () => /ready<\/strong>/.test((await desk.get(path)).text), 'the delivery is done');
    const zip = await desk.get(`${path}/bundles/1.zip`);
    assert.equal(zip.status, 200);
    assert.equal([...(await desk.get(path)).text.matchAll(/Letters: \d\. List with/g)].length, 19);
    assert.equal(zip.body.subarray(0, 2).toString(), 'PK');
    const reader = await Desk.login(service, 'reader');
    assert.ok(!(await reader.get(path)).text.includes('.zip'));

    assert.equal((await desk.post(`${path}/handover/3`, { day: '2999-01-01', note: 'x' })).status, 422);
    assert.equal((await desk.post(`${path}/handover/3`, { day: 'soon', note: 'x' })).status, 422);
    assert.equal((await desk.post(`${path}/handover/20`, { day: '2017-10-23', note: 'x' })).status, 404);
    assert.equal((await desk.post(`${path}/handover/3`, { day: '2017-10-23', note: 'by <hand>' })).status, 303);
    assert.match((await desk.get(path)).text, /Handed over on 23 October 2017, noted by organiser – by &lt;hand&gt;/);

    assert.equal((await desk.post(`${path}/complete`)).status, 422, 'it asks for a yes');
    assert.equal((await desk.post(`${path}/complete`, { sure: 'yes' })).status, 303);
    assert.equal((await desk.post(`${path}/complete`, { sure: 'yes' })).status, 409);
    const token = await service.token('organiser');
    for (let number = 1; number <= 19; number++) {
        const expected = number === 2 ? 200 : 410;
        assert.equal((await desk.get(`${path}/bundles/${number}.zip`)).status, expected, String(number));
        const api = await service.get(`/api/v1/deliveries/1/bundles/${number}.zip`, { authorization: `Bearer ${token}` });
        assert.equal(api.status, expected);
    }
    const left = await run('ls', [service.file('deliveries/1')]);
    assert.equal(left.stdout, '02-cambodia-and-human-rights.zip\nlog.zip\n', 'no names are in what is left');
    assert.ok(existsSync(service.file('deliveries/1')));
});

// ---- languages

test('the desk speaks the language that was chosen, and remembers it', async () => {
    const desk = await Desk.login(service);
    assert.match((await desk.get('/admin', { 'accept-language': 'fr' })).text, /<html lang="fr">/);
    assert.match((await desk.get('/admin?lang=km')).text, /<html lang="km">/);
    assert.match((await desk.get('/admin/deliveries')).text, /<html lang="km">/);
    assert.match((await desk.get('/admin?lang=xx')).text, /<html lang="km">/);
});

test('no answer to a POST leads where a GET is not allowed, and only the log-in offers other languages', async () => {
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        const { index } = await other.sign(signer(1));
        const desk = await Desk.login(other);
        const seen = [];
        /** The page's links, each looked at; the log-out is a form. */
        const look = async (path, answer, status) => {
            seen.push(path);
            assert.equal(answer.status, status, path);
            assert.match(answer.headers['content-type'], /html/, path);
            const links = [...answer.text.matchAll(/ href="([^"]*)"/g)].map(([, link]) => link.replaceAll('&amp;', '&'))
                .filter((link) => !/^(?:#|data:)/.test(link));
            assert.ok(links.length > 0, path);
            for (const link of new Set(links)) {
                const { pathname, search } = new URL(link, `http://x${path}`);
                const there = await desk.get(pathname + search);
                assert.notEqual(there.status, 405, `${path} -> ${link}`);
            }
            assert.equal(/hreflang=/.test(answer.text), path === '/admin/login', path);
            return answer;
        };
        const post = async (path, fields, status) => look(path, await desk.post(path, fields), status);
        const paper = 'name,country\nA,KH\n';
        await post('/admin/find', { code: String(index) }, 200);
        await post('/admin/find', { code: '9999' }, 404);
        await post('/admin/void/preview', { index, why: 'test' }, 200);
        await post('/admin/void', { index, why: 'whim' }, 422);
        await post('/admin/paper/check', { csv: paper }, 200);
        await post('/admin/paper/check', { csv: '' }, 422);
        await post('/admin/paper/check', { csv: paper, label: 'x'.repeat(201) }, 422);
        await post('/admin/paper', { csv: paper, after: '7' }, 409);
        await post('/admin/paper/9/remove', { why: 'test' }, 404);
        await post('/admin/deliveries/9/handover/1', { day: '2017-10-23' }, 404);
        await post('/admin/deliveries/9/handover/1', { day: 'soon' }, 422);
        await post('/admin/deliveries/9/complete', {}, 422);
        await post('/admin/organisers', { name: 'a b' }, 422);
        await post('/admin/organisers/role', { name: 'admin' }, 422);
        await post('/admin/organisers/role', { name: 'admin', role: 'reader', password: PASSWORD }, 409);
        await post('/admin/organisers/remove', { name: 'nobody', password: PASSWORD }, 404);
        await post('/admin/organisers/totp', { name: '' }, 422);
        await post('/admin/account/password', { new: 'short' }, 422);
        const made = enrolment(await post('/admin/account/totp', { password: PASSWORD }, 200));
        await post('/admin/account/totp/confirm', { ...made, code: '' }, 422);
        const { text } = await post('/admin/account/totp/confirm', { ...made, code: totp(made.secret) }, 200);
        assert.match(text, /<code>[A-Z2-7]{5}-/, 'the recovery codes');
        for (const [, path] of ROUTES.filter(([method]) => method === 'POST'))
            await look(path, await desk.send(path, { form: 'x' }), 403);
        await post('/admin/exports/counts.csv', { password: 'wrong wrong wrong' }, 422);
        await post('/admin/exports/sealed.jsonl', { password: 'wrong wrong wrong' }, 429);
        await post('/admin/account/totp/off', {}, 429);
        await look('/admin/login', await desk.tryLogin('admin', 'wrong wrong wrong'), 429);
        await look('/admin/login', await desk.send('/admin/login', { form: 'x' }), 403);
        assert.ok(new Set(seen).size > 18, 'all of them');
    } finally {
        await other.close();
    }
});
