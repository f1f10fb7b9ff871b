// All bundles of a delivery in one ZIP: the very files, made while they are sent, and after
// completion only what is left.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, run, scratch, signer } from './harness.mjs';
import { finished, order, tree, unpack } from './bundles.mjs';
import { Desk, PASSWORD } from './desk.mjs';

const MIB = 1024 * 1024;

let service;
let desk;
let token;

const folder = (id) => service.file(`deliveries/${id}`);
const bundlesOf = (id) => readdirSync(folder(id)).filter((name) => name !== 'log.zip').sort();
const all = (id, who = desk) => who.get(`/admin/deliveries/${id}/all.zip`);
const page = async (id, who = desk) => (await who.get(`/admin/deliveries/${id}`)).text;
const deliver = async () => {
    const id = await order(service, token);
    await finished(service, token, id);
    return id;
};

/** As a browser with a slow disk would: to a file. */
async function download(id) {
    const file = path.join(scratch(), 'all.zip');
    const result = await run('curl', ['-sS', '-o', file, '-H', `Cookie: ${desk.cookie}`, '-w', '%{http_code} %header{content-length}',
        `${service.origin}/admin/deliveries/${id}/all.zip`]);
    return { file, status: result.status, said: result.stdout };
}

/** What other programs say of it, in whose words. */
async function assertSound(file) {
    const tested = await run('unzip', ['-tq', file]);
    assert.equal(tested.status, 0, tested.stdout + tested.stderr);
    const read = await run('python3', ['-c', 'import sys, zipfile; sys.exit(zipfile.ZipFile(sys.argv[1]).testzip())', file]);
    assert.equal(read.status, 0, read.stderr);
}

before(async () => {
    service = await Service.create();
    token = await service.organiser('admin', PASSWORD);
    desk = await Desk.login(service);
    for (let i = 0; i < 3; i++)
        await service.sign(signer(i, { visibility: 'public' }));
    assert.equal(await deliver(), 1);
});
after(() => service?.close());

test('all.zip holds each bundle byte for byte as it is downloaded alone', async () => {
    const answer = await all(1);
    assert.equal(answer.status, 200);
    assert.equal(answer.type, 'application/zip');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.match(answer.headers['content-disposition'], /attachment; filename="delivery-1\.zip"/);
    assert.equal(Number(answer.headers['content-length']), answer.body.length);
    const file = path.join(scratch(), 'all.zip');
    writeFileSync(file, answer.body);
    await assertSound(file);
    const unpacked = await unpack(file);
    assert.equal(tree(unpacked).length, 19);
    assert.deepEqual(tree(unpacked), bundlesOf(1));
    for (const name of tree(unpacked)) {
        const alone = await desk.get(`/admin/deliveries/1/bundles/${Number(name.slice(0, 2))}.zip`);
        assert.deepEqual(readFileSync(path.join(unpacked, name)), alone.body, name);
    }
    const methods = await run('unzip', ['-Z', file]);
    assert.equal(methods.stdout.match(/ stor /g).length, 19, 'as they are');
    assert.deepEqual((await all(1)).body, answer.body, 'the same bundles give the same bytes');
});

test('the page links it with its size; the trail has it as a download', async () => {
    const bytes = bundlesOf(1).reduce((sum, name) => sum + statSync(path.join(folder(1), name)).size, 0);
    const shown = /href="\/admin\/deliveries\/1\/all\.zip" download>Download all files in one ZIP \(([\d,]+) KiB\)/.exec(await page(1));
    assert.equal(Number(shown[1].replaceAll(',', '')), Math.ceil(bytes / 1024));
    assert.match((await desk.get('/admin/audit')).text, /Downloaded a file of a delivery[^]{0,80}1\/all/);
});

test('a reader gets neither the link nor the ZIP, a stranger is sent to the log-in', async () => {
    assert.equal((await desk.post('/admin/organisers', { name: 'looker', role: 'reader', new: PASSWORD, password: PASSWORD })).status, 303);
    const reader = await Desk.login(service, 'looker');
    assert.equal((await all(1, reader)).status, 403);
    assert.equal((await reader.get('/admin/deliveries/1/bundles/2.zip')).status, 403);
    assert.ok(!(await page(1, reader)).includes('.zip'));
    const stranger = await service.get('/admin/deliveries/1/all.zip');
    assert.equal(stranger.status, 303);
    assert.equal(stranger.headers.location, '/admin/login');
});

test('hundreds of megabytes go through without being held', async () => {
    const id = await deliver();
    const large = path.join(folder(id), bundlesOf(id)[6]);
    truncateSync(large, 400 * MIB); // it is no ZIP any more: it is sent as it is
    const most = () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))[1]) / 1024;
    const before_ = most();
    const { file, said } = await download(id);
    assert.equal(said, `200 ${statSync(file).size}`);
    assert.ok(statSync(file).size > 400 * MIB);
    assert.ok(most() - before_ < 100, `${most() - before_} MiB`);
    await assertSound(file);
});

test('a file that is not there is left out; one that cannot be read breaks the answer off', async () => {
    const id = await deliver();
    const files = bundlesOf(id);
    rmSync(path.join(folder(id), files[3]));
    const { file, said } = await download(id);
    assert.match(said, /^200 /);
    assert.deepEqual(tree(await unpack(file)), files.filter((_, i) => i !== 3));
    mkdirSync(path.join(folder(id), files[3]));
    const broken = await download(id);
    assert.notEqual(broken.status, 0, 'shorter than its Content-Length');
    assert.match(service.stderr, new RegExp(`delivery ${id}: a download of all files broke off at file 4`));
});

test('after completion it holds only what is left without names; when nothing is, it is 410', async () => {
    assert.equal((await desk.post('/admin/deliveries/1/complete', { sure: 'yes' })).status, 303);
    const { file, said } = await download(1);
    assert.match(said, /^200 /);
    await assertSound(file);
    const unpacked = await unpack(file);
    assert.deepEqual(tree(unpacked), bundlesOf(1));
    assert.equal(tree(unpacked).length, 1);
    assert.ok(tree(unpacked)[0].startsWith('02-'));
    // A file with names that could not be deleted is not in it either.
    const id = await deliver();
    const kept = readFileSync(path.join(folder(id), bundlesOf(id)[0]));
    const [first, second] = bundlesOf(id);
    assert.equal((await desk.post(`/admin/deliveries/${id}/complete`, { sure: 'yes' })).status, 303);
    writeFileSync(path.join(folder(id), first), kept);
    assert.deepEqual(tree(await unpack((await download(id)).file)), [second]);
    rmSync(path.join(folder(id), second));
    assert.equal((await all(id)).status, 410);
    assert.ok(!(await page(id)).includes('all.zip'));
});

test('a delivery that is not there has none', async () => {
    assert.equal((await all(99)).status, 404);
    assert.equal((await service.get('/admin/deliveries/1/all', { cookie: desk.cookie })).status, 404);
});
