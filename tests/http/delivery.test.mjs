// Delivering: 19 bundles that their addressees can check, and that hold no name they must not hold.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, test } from 'node:test';

import { Service, query, run, scratch, signer } from './harness.mjs';
import { addressees, assertGenuine, bearer, describe, fetchBundles, finished, order, sha256, signature, signatureRows,
    sums, tree, unpack } from './bundles.mjs';

const PRIVATE = ['សុខ សំងាត់', 'Perpetua Hidden'];
const CONSENTING = [
    { name: 'ចាន់ ស្រីនាង', visibility: 'public', contact: '012 999 111' },
    { name: 'Ottoline Shared', visibility: 'addressees' },
    { name: '=1+1', visibility: 'public', country: 'FR' },
    { name: '@SUM(A1)', visibility: 'public' },
    { name: '+12', visibility: 'addressees' },
    { name: '-2+3', visibility: 'public' },
    { name: 'O"Brien, "Jr"; x', visibility: 'public', country: 'US' },
];
const WITHDRAWN = 'Wendeline Withdrawn';
const REPEATED = CONSENTING[1];
const COLUMNS = ['index', 'tier', 'entry_sha256', 'name', 'country', 'day', 'opening', 'fields_b64'];

let service;
let token;
let key;
let delivery;
let bundles; // by addressee: the unpacked folder
let files; // by addressee: the ZIP

before(async () => {
    service = await Service.create({ settings: { organiser_name: 'Ophelia Organiser' } });
    token = await service.organiser();
    key = (await service.get('/api/v1/petition')).json.minisign_key;
    for (const [i, name] of PRIVATE.entries())
        await service.sign(signer(`private-${i}`, { name }));
    for (const [i, fields] of CONSENTING.entries())
        await service.sign(signer(`consenting-${i}`, fields));
    await service.sign(signer('consenting-1', { ...REPEATED, country: 'AU' }));
    const gone = await service.sign(signer('gone', { name: WITHDRAWN, visibility: 'public' }));
    await service.withdraw(gone.withdraw);
    const id = await order(service, token);
    assert.equal(id, 1);
    delivery = await finished(service, token, id);
    const fetched = await fetchBundles(service, token, delivery);
    files = Object.fromEntries(fetched.map(({ addressee, file }) => [addressee, file]));
    bundles = {};
    for (const { addressee, file } of fetched)
        bundles[addressee] = await unpack(file);
});
after(() => service?.close());

const json = (folder, name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8'));

test('a delivery ends as done with 19 bundles, one for each addressee', () => {
    assert.equal(delivery.state, 'done');
    assert.equal(delivery.progress, 1);
    assert.equal(delivery.bundles.length, 19);
});

test('sha256sum -c and minisign -V accept every bundle', async () => {
    for (const folder of Object.values(bundles))
        await assertGenuine(folder, key);
});

test('a changed byte in any file is refused', async () => {
    const original = bundles[8];
    for (const name of tree(original)) {
        const folder = path.join(scratch(), 'changed');
        mkdirSync(path.join(folder, 'signatures'), { recursive: true });
        for (const file of tree(original))
            copyFileSync(path.join(original, file), path.join(folder, file));
        const bytes = readFileSync(path.join(folder, name));
        bytes[Math.floor(bytes.length / 2)] ^= 1;
        writeFileSync(path.join(folder, name), bytes);
        const good = (await sums(folder)).status === 0 && (await signature(folder, key)).status === 0;
        assert.ok(!good, name);
    }
});

test('each bundle has a letter for each of its people in each of their languages, 29 in all', () => {
    let letters = 0;
    for (const { number, people } of addressees) {
        const expected = people.flatMap((person, i) => person.letter
            .map((lang) => `letter-${String(i + 1).padStart(2, '0')}-${lang}.html`)).sort();
        const found = tree(bundles[number]).filter((file) => file.startsWith('letter-'));
        assert.deepEqual(found, expected, `addressee ${number}`);
        letters += found.length;
        people.forEach((person, i) => person.letter.forEach((lang) => {
            const html = readFileSync(path.join(bundles[number], `letter-${String(i + 1).padStart(2, '0')}-${lang}.html`), 'utf8');
            const name = person.short_name ?? person.name;
            assert.match(html, new RegExp(`<html[^>]* lang="${lang}"`));
            assert.ok(html.includes(name.replaceAll("'", '&#39;')) || html.includes(name), name);
            assert.ok(html.includes('Ophelia Organiser'), 'says who writes');
            assert.match(html, /@page/);
            assert.ok(!/<script|https?:\/\/[^"< ]*\.(?:css|js|png)/.test(html), 'needs nothing from elsewhere');
            assert.ok(!/[{}]|\[letter|undefined|\(null\)/.test(html.replace(/<style>.*<\/style>/s, '')), 'no hole is left open');
        }));
    }
    assert.equal(letters, 29);
});

test('no two letters are alike', () => {
    const texts = Object.values(bundles).flatMap((folder) => tree(folder).filter((file) => file.startsWith('letter-'))
        .map((file) => readFileSync(path.join(folder, file), 'utf8')));
    assert.equal(new Set(texts.map(sha256)).size, 29);
});

test('all 19 carry the same totals: signatures, submissions, repeats, withdrawn', () => {
    const [first, ...others] = Object.values(bundles).map((folder) => json(folder, 'summary.json'));
    for (const summary of others)
        assert.deepEqual(summary, first);
    const live = PRIVATE.length + CONSENTING.length + 1;
    assert.equal(first.signatures, live - 1);
    assert.equal(first.confirmed, 0);
    assert.equal(first.repeats, 1);
    assert.equal(first.withdrawn, 1);
    assert.equal(first.submissions, live);
    for (const folder of Object.values(bundles))
        assert.ok(json(folder, 'manifest.json'));
});

test('every live submission is a row, with name and opening only by consent', async () => {
    const entries = await query(service.dir, `SELECT log_entry.idx AS idx, CAST(body AS TEXT) AS body, LOWER(HEX(body)) AS hex,
        visibility, tag IS NOT NULL AS live FROM log_entry LEFT JOIN submission USING (idx) ORDER BY idx`);
    const g = Buffer.from(sha256(Buffer.concat([Buffer.from([0]), Buffer.from(entries[0].hex, 'hex')])), 'hex');
    const live = entries.filter((entry) => entry.live);
    for (const { number, names } of addressees) {
        const rows = signatureRows(bundles[number]);
        assert.deepEqual(Object.keys(rows[0]), COLUMNS);
        assert.deepEqual(rows.map((row) => Number(row.index)), live.map((entry) => entry.idx));
        rows.forEach((row, i) => {
            const body = Buffer.from(live[i].hex, 'hex');
            assert.equal(row.entry_sha256, sha256(Buffer.concat([Buffer.from([0]), body])));
            assert.equal(row.tier, 'unconfirmed');
            const shown = live[i].visibility > 0 && names === 'with-consent';
            for (const name of COLUMNS.slice(3))
                assert.equal(Boolean(row[name]), shown, `addressee ${number}, entry ${live[i].idx}: ${name}`);
            if (!shown)
                return;
            // The row proves what the public entry committed to.
            const opening = Buffer.from(row.opening, 'base64');
            const fields = Buffer.from(row.fields_b64, 'base64');
            assert.equal(opening.length, 64);
            const c = sha256(Buffer.concat([Buffer.from('petition-sign/v1\n'), g, opening, fields]));
            assert.equal(c, Buffer.from(JSON.parse(live[i].body).c, 'base64').toString('hex'));
            assert.equal(JSON.parse(fields).name, row.name.replace(/^'(?=[=+\-@])/, ''));
        });
    }
});

/** Every byte of a bundle, unpacked. */
const contents = (folder) => Buffer.concat(tree(folder).map((file) => readFileSync(path.join(folder, file))));

test('the bundle of addressee 2 holds not one name of a signer', () => {
    const bytes = contents(bundles[2]);
    for (const name of [...PRIVATE, ...CONSENTING.map((fields) => fields.name), WITHDRAWN]) {
        if (/\p{L}/u.test(name))
            assert.ok(!bytes.includes(name), name);
        assert.ok(!bytes.includes(Buffer.from(name).toString('base64').replace(/=*$/, '').slice(0, -1)) || name.length < 8, name);
    }
    for (const row of signatureRows(bundles[2]))
        assert.ok(!row.name && !row.country && !row.day && !row.opening && !row.fields_b64);
    assert.ok(contents(bundles[8]).includes(CONSENTING[0].name), 'the search finds names where they are');
});

test('a private and a withdrawn signer\'s name, and every contact, are in no bundle', () => {
    for (const [number, folder] of Object.entries(bundles)) {
        const bytes = contents(folder);
        for (const needle of [...PRIVATE, WITHDRAWN, 'example.org', '12999111', '012 999 111'])
            assert.ok(!bytes.includes(needle), `addressee ${number}: ${needle}`);
    }
});

test('the CSV opens in LibreOffice with Khmer intact and no live formula', async () => {
    const profile = scratch('petition-office-');
    const folder = scratch();
    // In a window LibreOffice sees the byte order mark; its converter must be told of UTF-8 (76).
    const convert = async (file, format) => {
        const result = await run('soffice', [`-env:UserInstallation=${pathToFileURL(profile)}`, '--headless', '--norestore',
            '--nolockcheck', '--infilter=CSV:44,34,76', '--convert-to', format, '--outdir', folder, file], { cwd: folder });
        assert.equal(result.status, 0, result.stderr);
        return path.join(folder, `${path.basename(file, '.csv')}.${format}`);
    };
    const csv = path.join(bundles[8], 'signatures/part-001.csv');
    const flat = readFileSync(await convert(csv, 'fods'), 'utf8');
    assert.ok(flat.includes(CONSENTING[0].name), 'Khmer is intact');
    assert.ok(!flat.includes('table:formula'), 'no formula');
    const cells = [...flat.matchAll(/<text:p>([^<]*)<\/text:p>/g)].map((cell) => cell[1]
        .replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&'));
    for (const { name } of CONSENTING)
        assert.ok(cells.includes(name) || cells.includes(`'${name}`), name);

    const xlsx = await convert(csv, 'xlsx');
    const sheet = await run('unzip', ['-p', xlsx, 'xl/worksheets/sheet1.xml']);
    const strings = await run('unzip', ['-p', xlsx, 'xl/sharedStrings.xml']);
    assert.ok(!/<f[ >]/.test(sheet.stdout), 'no formula in the workbook');
    assert.ok(strings.stdout.includes(CONSENTING[0].name));

    // The control: the same program takes an unguarded cell for a formula.
    const control = path.join(folder, 'control.csv');
    writeFileSync(control, '\ufeff"name"\r\n"=1+1"\r\n=1+1\r\n');
    assert.ok(readFileSync(await convert(control, 'fods'), 'utf8').includes('table:formula'));
});

test('unknown deliveries and bundles are 404', async () => {
    for (const target of ['/api/v1/deliveries/99', '/api/v1/deliveries/0', '/api/v1/deliveries/x', '/api/v1/deliveries/99/bundles/8.zip',
        '/api/v1/deliveries/1/bundles/0.zip', '/api/v1/deliveries/1/bundles/20.zip', '/api/v1/deliveries/1/bundles/8',
        '/api/v1/deliveries/1/bundles/../../../petition.db', '/api/v1/deliveries/1/bundles/%2e%2e.zip',
        '/api/v1/deliveries/18446744073709551617']) {
        const answer = await service.get(target, bearer(token));
        assert.equal(answer.status, 404, target);
        assert.equal(answer.type, 'application/problem+json');
    }
});

test('the second delivery is number 2, and the first stays as it is', async () => {
    await service.sign(signer('later'));
    const id = await order(service, token);
    assert.equal(id, 2);
    const second = await finished(service, token, id);
    const summary = json(await unpack((await fetchBundles(service, token, second))[0].file), 'summary.json');
    assert.equal(summary.signatures, PRIVATE.length + CONSENTING.length + 1);
    assert.deepEqual(await describe(service, token, 1), delivery);
    await fetchBundles(service, token, delivery);
    await service.restart();
    assert.deepEqual(await describe(service, token, 1), delivery);
    for (const { addressee, file } of await fetchBundles(service, token, delivery))
        assert.equal(sha256(readFileSync(file)), sha256(readFileSync(files[addressee])));
});

test('petition deliver --out gives 19 good bundles while the server runs and when it does not', async () => {
    for (const running of [true, false]) {
        if (!running)
            await service.stop();
        const out = path.join(scratch(), 'out');
        const result = await service.cli(['deliver', '--out', out]);
        assert.equal(result.status, 0, result.stderr);
        const zips = tree(out).filter((file) => file.endsWith('.zip'));
        assert.deepEqual(zips.map((file) => path.basename(file)),
            addressees.map(({ number, slug }) => `${String(number).padStart(2, '0')}-${slug}.zip`));
        for (const file of zips)
            await assertGenuine(await unpack(path.join(out, file)), key);
        assert.ok(!contents(await unpack(path.join(out, zips[1]))).includes(CONSENTING[0].name));
    }
    await service.start();
    assert.equal((await describe(service, token, 4)).state, 'done', 'they are deliveries like others');
});

test('petition deliver into a place where it cannot write fails with one line', async () => {
    const file = path.join(scratch(), 'file');
    writeFileSync(file, '');
    const result = await service.cli(['deliver', '--out', path.join(file, 'out')]);
    assert.equal(result.status, 1);
    assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
});

test('no name and no token is logged', () => {
    for (const needle of [...PRIVATE, ...CONSENTING.map((fields) => fields.name), token, 'example.org'])
        assert.ok(!service.stderr.includes(needle), needle);
});
