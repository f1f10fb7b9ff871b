// What the desk keeps an eye on: warnings that come and go, the journal from end to end, a delivery's
// progress for everybody who looks, and files with names that a crash left behind.

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Desk, PASSWORD, enrolment, formToken, totp } from './desk.mjs';
import { Service, parallel, query, root, run, scratch, signer, sleep, succeed, until } from './harness.mjs';

let service;
before(async () => {
    service = await Service.create({ settings: { organiser_name: '' } });
    await service.organiser('admin', PASSWORD);
});
after(() => service?.close());

// ---- warnings

const WARNINGS = {
    key: /organiser\.key\) is still on this server/,
    name: /organiser_name is empty/,
    backup: /no backup for a day/,
    pepper: /pepper\.key\) lies beside the database/,
    totp: /no one-time codes yet/,
};

test('each warning of the overview goes when its cause is removed, and comes back with it', async () => {
    let desk = await Desk.login(service);
    const shown = async () => {
        const { text } = await desk.get('/admin');
        return Object.keys(WARNINGS).filter((name) => WARNINGS[name].test(text));
    };
    assert.deepEqual(await shown(), ['key', 'name', 'backup', 'pepper', 'totp']);

    const away = scratch();
    renameSync(service.file('organiser.key'), path.join(away, 'organiser.key'));
    assert.deepEqual(await shown(), ['name', 'backup', 'pepper', 'totp']);
    await service.succeed(['backup', path.join(away, 'backup')]);
    assert.deepEqual(await shown(), ['name', 'pepper', 'totp']);

    const page = await desk.post('/admin/account/totp', { password: PASSWORD });
    const { secret, seal } = enrolment(page);
    assert.equal((await desk.post('/admin/account/totp/confirm', { secret, seal, code: totp(secret) })).status, 200);
    assert.deepEqual(await shown(), ['name', 'pepper']);

    await service.stop();
    renameSync(service.file('pepper.key'), path.join(away, 'pepper.key'));
    Object.assign(service.settings, { organiser_name: 'The committee', pepper_file: path.join(away, 'pepper.key') });
    await service.start();
    assert.deepEqual(await shown(), []);
    assert.doesNotMatch((await desk.get('/admin')).text, /<div class="box">/);

    // A backup of more than a day ago is none; the key and the name can come back, too.
    await service.stop();
    const sql = "DROP TRIGGER audit_no_update; UPDATE audit SET at_s = at_s - 27 * 3600 WHERE act = 'backup'";
    assert.equal((await run('sqlite3', [service.file('petition.db'), sql])).status, 0);
    service.settings.organiser_name = '';
    await service.start();
    assert.deepEqual(await shown(), ['name', 'backup']);
    copyFileSync(path.join(away, 'organiser.key'), service.file('organiser.key'));
    assert.deepEqual(await shown(), ['key', 'name', 'backup']);
    await service.succeed(['organiser', 'passwd', 'admin'], { stdin: `${PASSWORD}\n` });
    desk = await Desk.login(service, 'admin', PASSWORD, totp(secret, 1));
    assert.equal((await desk.post('/admin/account/totp/off', { password: PASSWORD })).status, 303);
    assert.deepEqual(await shown(), ['key', 'name', 'backup', 'totp']);
});

test('a base_url of http, where nobody can log in, is one warning at start; https and this machine are none', async () => {
    const folder = service.copy();
    for (const [base_url, expected] of [['http://petition.example', 1], ['http://127.0.0.1.evil.example', 1],
        ['https://petition.example', 0], ['http://127.0.0.1:8080', 0], ['http://localhost', 0], ['', 0]]) {
        const other = new Service(folder, { ...service.settings, base_url });
        await other.start();
        await other.close();
        assert.equal(other.stderr.split('\n').filter((line) => line.includes('base_url is http')).length, expected, base_url);
    }
});

// ---- the journal

test('the journal is read page by page to its first row, each row once, whatever the address asks for', async () => {
    const desk = await Desk.login(service);
    const form = formToken(await desk.get('/admin/account'));
    const delivery = await startDelivery(service, desk);
    await isDone(desk, delivery);
    await parallel(130, 8, (i) => desk.send(`${delivery}/handover/${i % 19 + 1}`, { form, day: '2017-10-23', note: String(i) }));
    const [{ last }] = await query(service.dir, 'SELECT max(id) AS last FROM audit');
    const rows = (page) => [...page.text.matchAll(/<li value="(\d+)">/g)].map(([, id]) => Number(id));
    const seen = [];
    let pages = 0;
    for (let target = '/admin/audit'; target; pages++) {
        const page = await desk.get(target);
        assert.equal(page.status, 200);
        const ids = rows(page);
        assert.ok(ids.length > 0 && ids.length <= 50, `${ids.length} rows`);
        seen.push(...ids);
        target = /href="(\/admin\/audit\?before=\d+)"/.exec(page.text)?.[1];
    }
    assert.equal(pages, Math.ceil(last / 50));
    assert.deepEqual(seen, Array.from({ length: last }, (_, i) => last - i));
    for (const [before_, first] of [['51', 50], ['2', 1], ['99999999999999999999', last]])
        assert.equal(rows(await desk.get(`/admin/audit?before=${before_}`))[0], first, before_);
    for (const before_ of ['1', '0', '-5', 'x', '']) {
        const page = await desk.get(`/admin/audit?before=${before_}`);
        assert.equal(page.status, 200, before_);
        assert.deepEqual(rows(page), [], before_);
        assert.doesNotMatch(page.text, /before=/);
    }
});

const LANGUAGES = ['en', 'fr', 'km'];
const catalogue = (lang) => JSON.parse(readFileSync(path.join(root, `public/catalogue/desk-${lang}.json`), 'utf8'));

test('the catalogues have a text for every act that the program writes down, and for no other', () => {
    const folder = path.join(root, 'server');
    const source = readdirSync(folder).filter((name) => name.endsWith('.c'))
        .map((name) => readFileSync(path.join(folder, name), 'utf8')).join('');
    const found = (pattern) => [...source.matchAll(pattern)].map(([, word]) => word);
    const written = new Set([
        ...found(/\.audit = "([a-z.]+)"/g), // of a page
        ...found(/\bHANDLER\(\w+, "([a-z.]+)"/g), // of the API
        ...found(/\b(?:organiser_)?audit\([^;"]*"([a-z.]+)"/g), // of a command
        ...found(/struct audit_act \w+ = \{[^,}]*,[^,}]*, "([a-z.]+)"/g),
    ]);
    for (const lang of LANGUAGES) {
        const texts = Object.entries(catalogue(lang)).filter(([key]) => key.startsWith('desk.act.'));
        assert.deepEqual(texts.map(([key]) => key.slice('desk.act.'.length)).sort(), [...written].sort(), lang);
        for (const [key, text] of texts)
            assert.ok(text.trim(), `${lang}: ${key}`);
    }
});

test('the journal says acts, reasons and roles in the page\'s language, and what is stored stays sound', async () => {
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        const { index } = await other.sign(signer(1));
        let desk = await Desk.login(other);
        const sheet = path.join(scratch(), 'sheet.csv');
        writeFileSync(sheet, 'name,country\nSomebody,KH\n');
        await other.succeed(['import', sheet]);
        for (const [target, fields] of [
            ['/admin/organisers', { name: 'second', role: 'reader', new: PASSWORD, password: PASSWORD }],
            ['/admin/organisers/role', { name: 'second', role: 'organiser', password: PASSWORD }],
            ['/admin/void', { index, why: 'fraud' }],
            ['/admin/paper/1/remove', { why: 'duplicate' }],
        ])
            assert.equal((await desk.post(target, fields)).status, 303, target);
        const [backup, restored] = ['backup', 'restored'].map((name) => path.join(scratch(), name));
        await other.succeed(['backup', backup]);
        const [{ size }] = await query(other.dir, 'SELECT count(*) AS size FROM log_entry');
        await other.stop();
        await succeed(['restore', backup, '--key', other.file('organiser.key'), '--data', restored]);
        copyFileSync(other.file('pepper.key'), path.join(restored, 'pepper.key'));
        other.dir = restored;
        await other.start();
        await other.succeed(['close', '--yes']);

        desk = await Desk.login(other);
        const stored = await query(other.dir, 'SELECT act, detail FROM audit ORDER BY id');
        assert.deepEqual(stored.filter(({ detail }) => / /.test(detail)).map(({ act, detail }) => [act, detail]), [
            ['organiser.add', 'second reader'],
            ['organiser.role', 'second organiser'],
            ['void', `${index} fraud`],
            ['paper.remove', '1 duplicate'],
            ['restore', `log size ${size}`],
        ]);
        for (const lang of LANGUAGES) {
            const text = catalogue(lang);
            const shown = {
                'second reader': `second – ${text['desk.role.reader']}`,
                'second organiser': `second – ${text['desk.role.organiser']}`,
                [`${index} fraud`]: `${index} – ${text['desk.why.fraud']}`,
                '1 duplicate': `1 – ${text['desk.why.duplicate']}`,
                [`log size ${size}`]: text['desk.audit.log_size'].replace('{log_size}', size),
            };
            const page = (await desk.get(`/admin/audit?lang=${lang}`)).text;
            assert.deepEqual([...page.matchAll(/<li value="\d+"><strong>(.*?)<\/strong>(.*?)<br>/g)].map(([, did, detail]) => did + detail),
                stored.map(({ act, detail }) => text[`desk.act.${act}`] + (detail && ` – ${shown[detail] ?? detail}`)).reverse(), lang);
            assert.ok(page.includes(text['desk.audit.sound'].replace('{sound_to}', stored.length)), 'the chain holds');
        }
    } finally {
        await other.close();
    }
});

// ---- deliveries

const SHOWN = /<progress[^>]* value="(\d+)"/;
const deliveries = async (other) => (await query(other.dir, 'SELECT id, state, completed_s FROM delivery ORDER BY id'));

async function startDelivery(other, desk) {
    const started = await desk.post('/admin/deliveries');
    assert.equal(started.status, 303, started.text);
    return started.headers.location.split('?')[0];
}

const isDone = (desk, page) => until(async () => /ready<\/strong>/.test((await desk.get(page)).text), 'the delivery is done', 60_000);

test('a delivery\'s progress is the same for whoever looks, after a reload, and after a restart in the middle', async () => {
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        const sheet = path.join(scratch(), 'sheet.csv');
        writeFileSync(sheet, `name,country,visibility\n${'Somebody of some name,KH,public\n'.repeat(50_000)}`);
        await other.succeed(['import', sheet]);
        const one = await Desk.login(other);
        const two = await Desk.login(other);
        const page = await startDelivery(other, one);
        const seen = [];
        let restarted = false;
        await until(async () => {
            for (const desk of [one, two, one]) { // a browser, another one, and the first again
                const { text, headers } = await desk.get(page);
                const value = SHOWN.exec(text)?.[1];
                if (value === undefined) {
                    if (/ready<\/strong>/.test(text))
                        return true;
                    continue;
                }
                assert.ok(text.includes(`href="${page}">Show how far it is now</a>`));
                assert.equal(headers['cache-control'], 'no-store');
                seen.push([desk === one ? 'one' : 'two', Number(value)]);
            }
            if (!restarted && seen.some(([, value]) => value > 0)) {
                restarted = true;
                await other.restart();
                const after_ = (await two.get(page)).text;
                assert.ok(SHOWN.test(after_) || /ready<\/strong>/.test(after_), 'it goes on');
                seen.length = 0;
            }
            return false;
        }, 'the delivery is done', 60_000, 1);
        assert.ok(restarted, 'it was seen running');
        for (const [i, [, value]] of seen.entries())
            assert.ok(i === 0 || value >= seen[i - 1][1], `never less than another has seen: ${JSON.stringify(seen)}`);
        assert.ok(new Set(seen.map(([who]) => who)).size === 2 || seen.length < 2, JSON.stringify(seen));
        for (const desk of [one, two])
            assert.doesNotMatch((await desk.get(page)).text, /<progress/, 'done is done');
    } finally {
        await other.close();
    }
});

test('files with names that a crash in the middle of completing left are deleted at the next start', async () => {
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        for (let i = 0; i < 4; i++)
            await other.sign(signer(i, { visibility: 'public' }));
        const desk = await Desk.login(other);
        const page = await startDelivery(other, desk);
        await isDone(desk, page);
        const folder = other.file('deliveries/1');
        const bundlesIn = (dir) => readdirSync(dir).filter((name) => name !== 'log.zip'); // which is public
        const files = bundlesIn(folder);
        assert.equal(files.length, 19);
        const kept = path.join(scratch(), 'kept');
        mkdirSync(kept);
        files.forEach((name) => copyFileSync(path.join(folder, name), path.join(kept, name)));
        assert.equal((await desk.post(`${page}/complete`, { sure: 'yes' })).status, 303);
        const left = bundlesIn(folder);
        assert.equal(left.length, 1);
        // As a crash leaves them: the commit is there, and all of the files, or those that had not had their turn.
        for (const undeleted of [files, files.slice(0, 5), files.slice(-1)]) {
            await other.kill9();
            undeleted.forEach((name) => copyFileSync(path.join(kept, name), path.join(folder, name)));
            await other.start();
            await until(() => bundlesIn(folder).length === 1, 'they are deleted');
            assert.deepEqual(bundlesIn(folder), left);
        }
        assert.equal((await desk.get(`${page}/bundles/1.zip`)).status, 410);
        assert.equal((await desk.get(`${page}/bundles/2.zip`)).status, 200);
        // And by killing it: completed or not, all of the files are there, or none.
        for (let round = 0; round < 8; round++) {
            const next = await startDelivery(other, desk);
            await isDone(desk, next);
            const form = formToken(await desk.get('/admin/account'));
            const answer = desk.send(`${next}/complete`, { form, sure: 'yes' }).catch(() => null);
            await sleep(round * 0.7);
            await other.kill9();
            await answer;
            await other.start();
            const { id, completed_s: completed } = (await deliveries(other)).at(-1);
            await until(() => bundlesIn(other.file(`deliveries/${id}`)).length === (completed ? 1 : 19),
                `${completed ? 'completed' : 'not completed'}: ${bundlesIn(other.file(`deliveries/${id}`)).length} files`);
            if (!completed)
                assert.equal((await desk.post(`${next}/complete`, { sure: 'yes' })).status, 303, 'it can be completed again');
        }
        assert.ok(existsSync(other.file('deliveries/1')));
    } finally {
        await other.close();
    }
});
