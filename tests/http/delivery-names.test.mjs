// Which files of a delivery hold names is what the files say themselves, not what addressees.json
// says on the day: completing deletes them all, whatever was edited since the delivery was made.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, root, run, scratch, signer } from './harness.mjs';
import { addressees, bearer, finished, order } from './bundles.mjs';
import { Desk } from './desk.mjs';

const fileOf = (number, { slug } = addressees[number - 1]) => `${String(number).padStart(2, '0')}-${slug}.zip`;
const NAMELESS = fileOf(2);
const WITH = /Letters: \d\. List with the names/g;
const WITHOUT = /Letters: \d\. List without any name/g;

let service;
let desk;
let token;
let content;
let original; // by addressee: the bundles of delivery 1

const folder = (id) => service.file(`deliveries/${id}`);
const filesOf = (id) => readdirSync(folder(id)).sort();
const download = (id, number) => desk.get(`/admin/deliveries/${id}/bundles/${number}.zip`);
const byToken = (id, number) => service.get(`/api/v1/deliveries/${id}/bundles/${number}.zip`, bearer(token));
const deliver = async () => {
    const id = await order(service, token);
    await finished(service, token, id);
    return id;
};
const complete = (id) => desk.post(`/admin/deliveries/${id}/complete`, { sure: 'yes' });

/** Changes addressees.json as an operator would, and starts the server anew. */
async function edit(changes) {
    const file = path.join(content, 'addressees.json');
    const list = JSON.parse(readFileSync(file, 'utf8'));
    for (const [number, change] of Object.entries(changes))
        Object.assign(list.addressees[number - 1], change);
    writeFileSync(file, JSON.stringify(list, null, 2));
    await service.restart();
}

before(async () => {
    content = path.join(scratch(), 'public');
    cpSync(path.join(root, 'public'), content, { recursive: true });
    service = await Service.create({ settings: { public_dir: content } });
    token = await service.organiser('admin', 'a long enough password');
    desk = await Desk.login(service);
    await service.sign(signer('open', { name: 'Ottoline Shared', visibility: 'public' }));
    assert.equal(await deliver(), 1);
    original = Object.fromEntries(addressees.map(({ number }) => [number, readFileSync(path.join(folder(1), fileOf(number)))]));
    await edit({ 2: { names: 'with-consent', slug: 'two-renamed' }, 5: { slug: 'five-renamed' }, 8: { names: 'never' } });
});
after(() => service?.close());

test('after addressees.json was edited, a bundle made before is found and labelled as it was made', async () => {
    const page = (await desk.get('/admin/deliveries/1')).text;
    assert.equal(page.match(WITH).length, 18);
    assert.equal(page.match(WITHOUT).length, 1);
    for (const { number } of addressees) {
        for (const get of [download, byToken]) {
            const answer = await get(1, number);
            assert.equal(answer.status, 200);
            assert.deepEqual(answer.body, original[number], `${number}`);
            assert.match(answer.headers['content-disposition'], new RegExp(`"${fileOf(number)}"`));
        }
    }
});

test('completing deletes what has names by the bundles\' own manifests', async () => {
    const answer = await complete(1);
    assert.equal(answer.headers.location, '/admin/deliveries/1?said=completed');
    assert.deepEqual(filesOf(1), [NAMELESS, 'log.zip']);
    for (const { number } of addressees)
        for (const get of [download, byToken])
            assert.equal((await get(1, number)).status, number === 2 ? 200 : 410, `${number}`);
    assert.deepEqual((await download(1, 2)).body, original[2]);
    const page = (await desk.get('/admin/deliveries/1')).text;
    assert.equal(page.match(WITHOUT).length, 1);
    assert.equal(page.match(/Deleted from this server/g).length, 18);
});

test('what cannot be judged is deleted: a damaged bundle, another delivery\'s, and files of other names', async () => {
    await edit({ 2: { names: 'never' } });
    const id = await deliver();
    const files = filesOf(id);
    assert.equal(files.length, 20);
    assert.ok(files.includes(fileOf(5, { slug: 'five-renamed' })));
    truncateSync(path.join(folder(id), '02-two-renamed.zip'), 2000);
    writeFileSync(path.join(folder(id), fileOf(8)), original[2]); // without names, but not of this place
    for (const name of ['copy.zip', '99-copy.zip', 'names.csv', '03-x.zip.tmp', '03-x.zip.tmp.AbCdEf', 'spool-names.zip'])
        writeFileSync(path.join(folder(id), name), original[1]);
    assert.equal((await complete(id)).status, 303);
    assert.deepEqual(filesOf(id), ['log.zip']);
    assert.equal((await download(id, 2)).status, 410);
});

test('a bundle that is not there is 404 and said to be missing, and no act in the trail', async () => {
    const id = await deliver();
    rmSync(path.join(folder(id), fileOf(7)));
    for (const get of [download, byToken])
        assert.equal((await get(id, 7)).status, 404);
    assert.ok(!(await desk.get('/admin/audit')).text.includes(`${id}/7`));
    assert.equal((await desk.get(`/admin/deliveries/${id}`)).text.match(/This file is not on this server\./g).length, 1);
});

test('a file that cannot be deleted is told to the organiser and logged; it is not served, and the next start tries again', async () => {
    const id = await deliver();
    const stuck = path.join(folder(id), fileOf(1));
    rmSync(stuck);
    mkdirSync(stuck); // what root cannot unlink either
    const answer = await complete(id);
    assert.equal(answer.headers.location, `/admin/deliveries/${id}?said=undeleted`);
    const page = (await desk.get(answer.headers.location)).text;
    assert.match(page, /The delivery is completed, but files with names could not be deleted/);
    assert.doesNotMatch(page, /files with names are deleted/);
    assert.equal(page.match(/This file could not be deleted from this server/g).length, 1);
    assert.match(service.stderr, new RegExp(`delivery ${id}: files cannot be deleted: Is a directory`));
    assert.deepEqual(filesOf(id), [fileOf(1), '02-two-renamed.zip', '08-china.zip', 'log.zip'], 'the others are');
    assert.equal((await download(id, 1)).status, 410);
    await service.stop();
    rmSync(stuck, { recursive: true });
    writeFileSync(stuck, original[1]);
    await service.start();
    await service.stop(); // the thread has done that first
    assert.deepEqual(filesOf(id), ['02-two-renamed.zip', '08-china.zip', 'log.zip']);
    await service.start();
});

test('what an interrupted building left under an earlier name goes when the bundles are made', async () => {
    const next = 1 + Math.max(...readdirSync(service.file('deliveries')).map(Number));
    mkdirSync(folder(next));
    writeFileSync(path.join(folder(next), '05-older.zip'), original[5]);
    assert.equal(await deliver(), next);
    assert.equal(filesOf(next).length, 20);
    assert.ok(!filesOf(next).includes('05-older.zip'));
});

test('nothing but the public log is left of a delivery that failed', async () => {
    const id = await deliver();
    await service.stop();
    writeFileSync(path.join(folder(id), '05-older.zip'), original[5]);
    const sql = `UPDATE delivery SET state = 'failed', why = 'a test' WHERE id = ${id}`;
    assert.equal((await run('sqlite3', [service.file('petition.db'), sql])).status, 0);
    await service.start();
    await service.stop();
    assert.deepEqual(filesOf(id), ['log.zip']);
});
