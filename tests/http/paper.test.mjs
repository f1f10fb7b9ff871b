// Paper sheets by `petition import`: with and without the server, what is refused and how, what the
// files hold afterwards, and what a batch that was cut off leaves.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, exported, query, scratch, signer, sleep, until } from './harness.mjs';

let service;
const folder = scratch();
before(async () => {
    service = await Service.create();
});
after(() => service?.close());

let files = 0;
/** Writes a file and returns its name. */
function sheet(content) {
    const file = path.join(folder, `sheet-${++files}.csv`);
    writeFileSync(file, content);
    return file;
}

const HEAD = 'name,contact,country,visibility\r\n';
const rows = (from, count, contact = (i) => `paper-${i}@example.org`) => HEAD + Array.from({ length: count },
    (_, i) => `Signer ${from + i},${contact(from + i)},KH,private\r\n`).join('');

const FIGURES = `SELECT (SELECT live FROM totals) AS live, (SELECT signatures FROM totals) AS signatures,
    (SELECT COUNT(*) FROM log_entry) AS entries, (SELECT COUNT(*) FROM paper_batch) AS batches`;
const figures = async () => (await query(service.dir, FIGURES))[0];

async function refused(content, reason) {
    const before_ = await figures();
    const { status, stdout, stderr } = await service.cli(['import', sheet(content)]);
    assert.equal(status, 1, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, reason);
    assert.match(stderr, /nothing was imported\n$/);
    assert.deepEqual(await figures(), before_, 'nothing half done');
    return stderr;
}

test('a file goes in while the server runs and while it does not, and is counted as paper', async () => {
    const start = await figures();
    assert.match(await service.succeed(['import', sheet(rows(0, 30))]),
        /^batch 1: 30 rows, 0 without a contact, 0 repeats in the file\n$/);
    assert.equal((await figures()).signatures, start.signatures + 30);
    await service.stop();
    assert.match(await service.succeed(['import', sheet(rows(20, 30))]), /^batch 2: 30 rows/);
    await service.start();
    const end = await figures();
    assert.equal(end.live, start.live + 60);
    assert.equal(end.signatures, start.signatures + 50, 'a contact counts once');
    const { count } = await service.published(end.entries);
    assert.equal(count, end.signatures);
    const stats = await query(service.dir, 'SELECT tier, SUM(n) AS n FROM tally GROUP BY tier');
    assert.deepEqual(stats.map(({ tier, n }) => ({ tier, n })), [{ tier: 1, n: 60 }]);
});

test('who signs on paper and online counts once, whatever comes first', async () => {
    const { signatures } = await figures();
    await service.sign(signer('both-1'));
    await service.succeed(['import', sheet(`${HEAD}A,signer-both-1@example.org,KH,\nB,signer-both-2@example.org,KH,\n`)]);
    await service.sign(signer('both-2'));
    assert.equal((await figures()).signatures, signatures + 2);
});

test('rows without a contact count each, and are told apart in the answer', async () => {
    const { signatures } = await figures();
    assert.match(await service.succeed(['import', sheet(rows(0, 5, (i) => (i % 2 ? 'same@example.org' : '')))]),
        /: 5 rows, 3 without a contact, 1 repeats in the file\n$/);
    assert.equal((await figures()).signatures, signatures + 4);
});

test('the sealed record of a row is like any other', async () => {
    const text = `${HEAD}តារា សុខ,,KH,public\n"=1+1, ""A""",+85512345678,FR,addressees\n`;
    await service.succeed(['import', sheet(text)]);
    const lines = await exported(service.dir);
    assert.ok(lines.slice(-2).every(({ tier }) => tier === 'paper'));
    const file = path.join(folder, 'sealed.jsonl');
    await service.succeed(['export', file]);
    const { stdout } = await service.cli(['open', '--key', service.file('organiser.key'), file]);
    assert.match(stdout, /"តារា សុខ"/);
    assert.match(stdout, /"'=1\+1, ""A"""/, 'a formula is harmless in what is opened');
    const names = await query(service.dir, 'SELECT name FROM submission WHERE name IS NOT NULL AND tier = 1');
    assert.deepEqual(names.map(({ name }) => name).sort(), ['=1+1, "A"', 'តារា សុខ'].sort());
});

test('a file with wrong columns is refused with the line and what the columns are', async () => {
    await refused('', /line 1: there are no rows/);
    await refused(HEAD, /there are no rows/);
    await refused('name,contact\nA,b@example.org\n', /line 1: there is no column "country" .*name, contact, country, visibility/);
    await refused('name,country,email\nA,KH,b@example.org\n', /line 1: there is a column of another name/);
    await refused('A,a@example.org,KH,private\n', /line 1: there is a column of another name/);
});

test('a file in another encoding is refused with its line', async () => {
    await refused(Buffer.from(`${HEAD}Jos\xE9,,FR,\n`, 'latin1'), /line 2: this is not UTF-8: save the sheet as "CSV UTF-8"/);
    await refused(Buffer.from(`\uFEFF${HEAD}`, 'utf16le'), /line 1: this is not UTF-8/);
    await refused(`${HEAD}A\0B,,FR,\n`, /line 2: this is not UTF-8/);
    await refused(`${HEAD}"A,,FR,\n`, /line 2: a quotation mark is not closed/);
    await service.succeed(['import', sheet(`\uFEFFname;country\r\nJosé;FR\r\n`)]);
});

test('of a file with wrong rows nothing is stored; each is named by line, field and reason, never by what it holds', async () => {
    const said = await refused(`${HEAD}Good,good@example.org,KH,\nsecret-name www.x.org,,KH,\nB,secret-mail@,KH,\nC,,ZZ,all\nD,KH\n`,
        /4 of 5 rows are wrong/);
    assert.match(said, /^line 3: name: url$/m);
    assert.match(said, /^line 4: contact: bad_email$/m);
    assert.match(said, /^line 5: country: invalid$/m);
    assert.match(said, /^line 5: visibility: invalid$/m);
    assert.match(said, /^line 6: more or fewer cells than columns$/m);
    assert.doesNotMatch(said + service.stderr, /secret/);
});

test('a million rows are refused before anything is stored; so is more than 64 MiB', async () => {
    const line = 'A,KH\n';
    await refused(`name,country\n${line.repeat(1_000_000)}`, /line 100002: there are more than 100,000 rows: split the file/);
    const big = await service.cli(['import', sheet(Buffer.alloc(64 * 1024 * 1024 + 1, 'x'))]);
    assert.equal(big.status, 1);
    assert.match(big.stderr, /larger than 64 MiB: split it/);
    const none = await service.cli(['import', path.join(folder, 'none.csv')]);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /No such file/);
    await refused(Buffer.alloc(30 * 1024 * 1024, 'x'), /the row is too long/);
});

test('no code of a row is given out', async () => {
    await service.succeed(['import', sheet(`${HEAD}A,,KH,\n`)]);
    const output = await service.succeed(['import', sheet(`${HEAD}A,,KH,\n`)]);
    assert.doesNotMatch(output, /\d-[0-9A-Z]{4}/);
});

test('a batch cut off by kill -9 is visibly incomplete, every figure equals a recount, and signing goes on', async () => {
    const running = service.cli(['import', sheet(rows(1000, 60_000))]);
    await until(async () => (await query(service.dir, 'SELECT live FROM paper_batch ORDER BY id DESC LIMIT 1'))[0].live > 2000,
        'rows come in');
    await service.sign(signer('meanwhile'));
    await service.kill9();
    const { status, stderr } = await running;
    assert.equal(status, 1);
    assert.match(stderr, /broke the connection off/);
    await service.start();
    const [batch] = await query(service.dir, 'SELECT * FROM paper_batch ORDER BY id DESC LIMIT 1');
    assert.equal(batch.done_s, null);
    assert.ok(batch.live > 2000 && batch.live < 60_000, `${batch.live} rows`);
    const [recount] = await query(service.dir, `SELECT
        (SELECT COUNT(tag) FROM submission WHERE batch = ${batch.id}) AS live,
        (SELECT live FROM totals) - (SELECT COUNT(tag) FROM submission) AS all_live,
        (SELECT signatures FROM totals) - (SELECT COUNT(DISTINCT tag) FROM submission) AS signatures`);
    assert.deepEqual({ ...recount }, { live: batch.live, all_live: 0, signatures: 0 });
    await service.sign(signer('afterwards'));
});

test('a server that stops says how far the batch came', async () => {
    const running = service.cli(['import', sheet(rows(1000, 60_000))]);
    await until(async () => (await query(service.dir, 'SELECT live FROM paper_batch ORDER BY id DESC LIMIT 1'))[0].live > 500,
        'rows come in');
    await service.stop();
    const { status, stderr } = await running;
    assert.equal(status, 1);
    assert.match(stderr, /interrupted: batch \d+ holds \d+ of 60000 rows; remove it at the desk/);
    await service.start();
});

test('signers online are answered while a large file comes in (printed, not judged)', async (t) => {
    const file = sheet(rows(0, 100_000));
    const began = Date.now();
    let running = true;
    const imported = service.succeed(['import', file]).finally(() => {
        running = false;
    });
    const waits = [];
    for (let n = 0; running; n++) {
        const start = performance.now();
        await service.sign(signer(`during-${n}`));
        waits.push(performance.now() - start);
        await sleep(5);
    }
    await imported;
    waits.sort((a, b) => a - b);
    t.diagnostic(`100,000 rows in ${((Date.now() - began) / 1000).toFixed(1)} s; signing meanwhile: median `
        + `${waits[waits.length >> 1].toFixed(1)} ms, p99 ${waits[Math.floor(waits.length * 0.99)].toFixed(1)} ms of ${waits.length}`);
    assert.ok(waits.length > 0);
});

test('no name and no contact of a sheet is in what the server says', () => {
    assert.doesNotMatch(service.stderr, /paper-\d|Signer \d/);
    assert.ok(readFileSync(service.file('petition.db')).length > 0);
});
