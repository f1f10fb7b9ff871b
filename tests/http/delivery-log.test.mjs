// Deliveries and the log: what a bundle holds of the log and the log of a bundle, log.zip, the public
// list, and that a delivery is in the log exactly once, whenever the server dies. The roots are
// computed here, from the entries, without anything of the server's.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { fetchBundles, finished, order, sha256, sums, tree, unpack } from './bundles.mjs';
import { Desk } from './desk.mjs';
import { Service, load, petition, query, root, scratch, signer, sleep, until, withService } from './harness.mjs';

const PASSWORD = 'a long enough password';

// ---- RFC 6962

const hash = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leaf = (entry) => hash(Buffer.from([0]), entry);
function rootOf(leaves) {
    if (leaves.length === 1)
        return leaves[0];
    let left = 1;
    while (left * 2 < leaves.length)
        left *= 2;
    return hash(Buffer.from([1]), rootOf(leaves.slice(0, left)), rootOf(leaves.slice(left)));
}

const parse = (note) => {
    const [origin, size, base64] = note.split('\n');
    return { origin, size: Number(size), root: base64 };
};

/** The entries of an unpacked log.zip, or of a web site's folder. */
function entriesIn(folder) {
    const entries = [];
    const names = tree(folder).filter((name) => name.startsWith('tile/entries/'));
    for (const name of names.sort((a, b) => a.replace('.p', '').localeCompare(b.replace('.p', '')))) {
        const bytes = readFileSync(path.join(folder, name));
        for (let at = 0; at < bytes.length;) {
            const length = bytes.readUInt16BE(at);
            entries.push(bytes.subarray(at + 2, at + 2 + length));
            at += 2 + length;
        }
    }
    return entries;
}

async function fetchLog(service, id) {
    const answer = await service.get(`/api/v1/deliveries/${id}/log.zip`);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.type, 'application/zip');
    const file = path.join(scratch(), 'log.zip');
    writeFileSync(file, answer.body);
    return { file, bytes: answer.body, folder: await unpack(file) };
}

const listed = async (service) => {
    const answer = await service.get('/api/v1/deliveries');
    assert.equal(answer.status, 200, answer.text);
    return answer.json.deliveries;
};
const dlvs = async (folder) => (await query(folder, 'SELECT idx, CAST(body AS TEXT) AS body FROM log_entry WHERE length(body) > 500'))
    .filter(({ body }) => body.startsWith('{"v":1,"t":"dlv",'));

// ---- a delivery

test('19 bundles, one log: checkpoint, root, dlv entry, log.zip and the public list belong together', async () => {
    // Nothing else publishes for an hour.
    await withService({ settings: { publish_min: 100000, publish_every: 3600 } }, async (service) => {
        const token = await service.organiser();
        assert.deepEqual(await listed(service), []);
        const { acknowledged } = await load(service, { limit: 600, width: 16 }).done;
        const gone = acknowledged.slice(0, 3);
        for (const { withdraw } of gone)
            await service.withdraw(withdraw);
        await service.succeed(['void', String(acknowledged[10].index), 'fraud']);
        assert.equal((await service.count()).log_size, 1, 'nothing of it is published');

        const id = await order(service, token);
        const delivery = await finished(service, token, id);
        const size = 1 + 600 + 4;
        assert.equal(delivery.log_size, size);
        const bundles = await fetchBundles(service, token, delivery);
        const log = await fetchLog(service, id);

        // The log that was published with the entry, at once.
        const head = await until(async () => {
            const { text } = await service.get('/checkpoint');
            return parse(text).size > size && text;
        }, 'the entry is published', 3000);
        assert.equal(parse(head).size, size + 1);
        assert.equal(readFileSync(path.join(log.folder, 'checkpoint'), 'utf8'), head);
        const { log_vkey: vkey } = (await service.get('/api/v1/petition')).json;
        assert.equal(readFileSync(path.join(log.folder, 'vkey'), 'utf8'), `${vkey}\n`);
        const leaves = entriesIn(log.folder).map(leaf);
        assert.equal(leaves.length, size + 1);
        assert.equal(rootOf(leaves).toString('base64'), parse(head).root);
        const frozenRoot = rootOf(leaves.slice(0, size)).toString('base64');

        // The same files as are served, and all of them.
        const names = tree(log.folder).filter((name) => name.startsWith('tile/'));
        assert.deepEqual(names.sort(), [
            'tile/0/000', 'tile/0/001', `tile/0/002.p/${size + 1 - 512}`, 'tile/1/000.p/2',
            'tile/entries/000', 'tile/entries/001', `tile/entries/002.p/${size + 1 - 512}`]);
        for (const name of names) {
            const served = await service.get(`/${name}`);
            assert.equal(served.status, 200, name);
            assert.ok(served.body.equals(readFileSync(path.join(log.folder, name))), name);
        }
        assert.deepEqual(tree(log.folder).filter((name) => !names.includes(name)), ['README.txt', 'checkpoint', 'vkey']);

        // The bundles.
        const manifests = [];
        for (const { addressee, file } of bundles) {
            const folder = await unpack(file);
            const text = readFileSync(path.join(folder, 'manifest.json'));
            const manifest = JSON.parse(text);
            manifests.push(sha256(text));
            assert.equal(manifest.addressee, addressee);
            assert.equal(manifest.log_size, size);
            assert.equal(manifest.root, frozenRoot);
            assert.deepEqual(parse(readFileSync(path.join(folder, 'checkpoint'), 'utf8')),
                { origin: 'petition.invalid/log', size, root: frozenRoot });
            assert.equal(readFileSync(path.join(folder, 'removed-since-last.csv'), 'latin1'),
                ['index,why', ...gone.map(({ index }) => `${index},withdrawn`), `${acknowledged[10].index},fraud`, ''].join('\r\n'));
            assert.equal((await sums(folder)).status, 0);
            for (const name of ['checkpoint', 'removed-since-last.csv'])
                assert.ok(manifest.files.some((entry) => entry.name === name));
        }
        const [entry, ...more] = await dlvs(service.dir);
        assert.deepEqual(more, []);
        assert.equal(entry.body, `{"v":1,"t":"dlv","n":1,"size":${size},"manifests":[${manifests.map((m) => `"${m}"`).join(',')}]}`);
        assert.equal(entry.idx, size);
        assert.equal(entriesIn(log.folder)[size].toString(), entry.body);

        // The list.
        const today = new Date().toISOString().slice(0, 10);
        assert.deepEqual(await listed(service), [{
            delivery: 1, date: today, log_size: size, root: frozenRoot, entry: size, manifests,
            submissions: 596, signatures: 596, repeats: 0, log_zip: '/api/v1/deliveries/1/log.zip', handovers: [],
        }]);
        await service.succeed(['check']);
    });
});

test('a second delivery lists only what was removed since the first, and log.zip stays as it was', async () => {
    await withService({}, async (service) => {
        const token = await service.organiser();
        const receipts = [];
        for (let n = 0; n < 5; n++)
            receipts.push(await service.sign(signer(n)));
        await service.withdraw(receipts[0].withdraw);
        await finished(service, token, await order(service, token));
        const first = await fetchLog(service, 1);
        await service.sign(signer(9));
        await service.withdraw(receipts[1].withdraw);
        await service.succeed(['void', String(receipts[2].index), 'test']);
        const second = await finished(service, token, await order(service, token));
        const folder = await unpack((await fetchBundles(service, token, second))[3].file);
        assert.equal(readFileSync(path.join(folder, 'removed-since-last.csv'), 'utf8'),
            `index,why\r\n${receipts[1].index},withdrawn\r\n${receipts[2].index},test\r\n`);
        const [one, two] = await listed(service);
        assert.deepEqual([one.delivery, two.delivery], [1, 2]);
        assert.equal(two.log_size, second.log_size);
        const later = await fetchLog(service, 2);
        const before = entriesIn(first.folder);
        assert.deepEqual(entriesIn(later.folder).slice(0, before.length), before);

        // Lost, as after a restore, it is made again: the log as first published with the entry.
        for (const id of [1, 2])
            rmSync(service.file(`deliveries/${id}/log.zip`));
        await service.stop();
        rmSync(service.file('deliveries/1'), { recursive: true });
        await service.start();
        for (const [id, was] of [[1, first], [2, later]]) {
            await until(() => existsSync(service.file(`deliveries/${id}/log.zip`)), 'log.zip is there again');
            assert.ok((await fetchLog(service, id)).bytes.equals(was.bytes), 'the same bytes');
        }
        assert.equal((await dlvs(service.dir)).length, 2);
        assert.equal((await service.get('/api/v1/deliveries/3/log.zip')).status, 404);
    });
});

test('petition verify: the bundles as they are packed hold with the log.zip that is served, and not with an older one', async () => {
    await withService({}, async (service) => {
        const token = await service.organiser();
        const { log_vkey: vkey, minisign_key: minisign } = (await service.get('/api/v1/petition')).json;
        const deliver = async () => {
            const id = await order(service, token);
            const bundles = await fetchBundles(service, token, await finished(service, token, id));
            return { bundles: bundles.map(({ file }) => file), log: (await fetchLog(service, id)).file };
        };
        const verify = (...things) => petition(['verify', '--vkey', vkey, '--minisign', minisign, ...things]);
        const receipts = [];
        for (let n = 0; n < 9; n++)
            receipts.push(await service.sign(signer(n, { visibility: ['private', 'addressees', 'public'][n % 3] })));
        await service.withdraw(receipts[1].withdraw);
        const first = await deliver();
        receipts.push(await service.sign(signer(4, { visibility: 'public' })));
        await service.withdraw(receipts[2].withdraw);
        await service.succeed(['void', `${receipts[4].index}`, 'fraud']);
        const second = await deliver();

        // 9 - 1, of them 2 with consent to addressees and 3 to everybody; then 9 + 1 - 3, of them 1 and 3.
        for (const [{ bundles, log }, rows, named] of [[first, 8, 5], [second, 7, 4]]) {
            assert.equal(bundles.length, 19);
            const held = await verify(...bundles, log);
            assert.equal(held.status, 0, held.stderr);
            assert.equal(held.stderr, '');
            assert.match(held.stdout, /\nOK\n$/);
            for (let addressee = 1; addressee <= 19; addressee++)
                assert.match(held.stdout, new RegExp(`addressee ${addressee}: ${rows} rows, ${addressee === 2 ? 0 : named} with name`));
        }
        const old = await verify(...first.bundles, second.log);
        assert.equal(old.status, 0, `the log goes on: ${old.stderr}`);

        // Of a delivery the log before it knows nothing: it is too short, or, if nobody has signed since, it has no such entry.
        const third = await deliver();
        for (const [{ bundles }, { log }, why] of [[second, first, 'entries only'], [third, second, 'delivery is not in the log']])
            for (const things of [[bundles[0]], [bundles[1]], [...bundles]]) {
                const refused = await verify(...things, log);
                assert.equal(refused.status, 1, refused.stdout);
                assert.equal(refused.stdout, '');
                assert.match(refused.stderr, new RegExp(`^petition: [^\\n]+\\.zip: [^\\n]*${why}\\n$`));
            }
    });
});

test('hand-overs are public with their day, without their note; the desk says so', async () => {
    await withService({}, async (service) => {
        const token = await service.organiser('anna', PASSWORD);
        await finished(service, token, await order(service, token));
        const desk = await Desk.login(service, 'anna', PASSWORD);
        const form = await desk.get('/admin/deliveries/1/handover/3');
        assert.match(form.text, /The day is public/);
        for (const addressee of [3, 8])
            assert.equal((await desk.post(`/admin/deliveries/1/handover/${addressee}`,
                { day: `2017-10-0${addressee}`, note: 'to the embassy' })).status, 303);
        const answer = await service.get('/api/v1/deliveries');
        assert.deepEqual(answer.json.deliveries[0].handovers,
            [{ addressee: 3, date: '2017-10-03' }, { addressee: 8, date: '2017-10-08' }]);
        assert.ok(!/embassy|anna/.test(answer.text));
        assert.equal(answer.headers['cache-control'], 'public, max-age=10');

        // Changed, beside a second delivery, and after a restart.
        assert.equal((await desk.post('/admin/deliveries/1/handover/8', { day: '2017-10-09', note: '' })).status, 303);
        const changed = await listed(service);
        assert.deepEqual(changed[0].handovers,
            [{ addressee: 3, date: '2017-10-03' }, { addressee: 8, date: '2017-10-09' }]);
        await finished(service, token, await order(service, token));
        const [first, second] = await listed(service);
        assert.deepEqual(first, changed[0]);
        assert.deepEqual(second.handovers, []);
        await service.stop();
        await service.start();
        assert.deepEqual(await listed(service), [first, second]);
    });
});

test('a delivery from the command line, without a server, is in the log too', async () => {
    await withService({}, async (service) => {
        await service.sign(signer(1));
        await service.stop();
        await service.succeed(['deliver', '--out', scratch()]);
        assert.ok(existsSync(service.file('deliveries/1/log.zip')));
        const [{ idx }] = await dlvs(service.dir);
        assert.equal(parse(readFileSync(service.file('log.head'), 'utf8')).size, idx + 1);
        await service.start();
        assert.equal((await listed(service))[0].entry, idx);
        const log = await fetchLog(service, 1);
        assert.equal(rootOf(entriesIn(log.folder).map(leaf)).toString('base64'),
            parse(readFileSync(path.join(log.folder, 'checkpoint'), 'utf8')).root);
    });
});

test('a closed petition delivers, and takes no text any more', async () => {
    const words = path.join(scratch(), 'public');
    cpSync(path.join(root, 'public'), words, { recursive: true });
    await withService({ settings: { public_dir: words } }, async (service) => {
        const token = await service.organiser();
        await service.sign(signer(1));
        await service.sign(signer(1, { name: 'Again' }));
        await service.succeed(['close', '--yes']);
        await service.stop();
        writeFileSync(path.join(words, 'text/en.txt'), `${readFileSync(path.join(words, 'text/en.txt'), 'utf8')}\nMore.\n`);
        await service.start();
        assert.match(service.stderr, /closed petition takes no new/);
        await finished(service, token, await order(service, token));
        const [delivery] = await listed(service);
        assert.equal(delivery.repeats, 1);
        assert.equal(delivery.signatures, 1);
        const types = (await query(service.dir, 'SELECT CAST(body AS TEXT) AS body FROM log_entry ORDER BY idx'))
            .map(({ body }) => JSON.parse(body).t);
        assert.deepEqual(types, ['open', 'sign', 'sign', 'close', 'dlv']);
    });
});

// ---- at any moment

test('killed at any moment a delivery is in the log exactly once, with the bundles that it names', async () => {
    await withService({}, async (service) => {
        const token = await service.organiser();
        await load(service, { width: 32, limit: 2000 }).done;
        const states = new Set();
        let delay = 40; // moves around the moment when it is done
        for (let i = 0; i < 14; i++) {
            const id = await order(service, token);
            await sleep(delay);
            await service.kill9();
            const [{ state }] = await query(service.dir, `SELECT state FROM delivery WHERE id = ${id}`);
            states.add(state);
            delay *= state === 'done' ? 0.9 : 1.6;
            await service.start();
            const delivery = await finished(service, token, id);
            const entries = (await dlvs(service.dir)).map(({ body }) => JSON.parse(body));
            assert.deepEqual(entries.map(({ n }) => n), Array.from({ length: id }, (_, n) => n + 1));
            const { manifests, size } = entries.at(-1);
            assert.equal(size, delivery.log_size);
            const bundles = await fetchBundles(service, token, delivery);
            for (const at of [0, 1, 18]) {
                const folder = await unpack(bundles[at].file);
                assert.equal(sha256(readFileSync(path.join(folder, 'manifest.json'))), manifests[at]);
            }
            await until(() => existsSync(service.file(`deliveries/${id}/log.zip`)), 'log.zip is there');
        }
        assert.ok(states.size > 1, [...states].join());
        await service.succeed(['check']);
    });
});

test('a log.zip that could not be made is tried again while the server runs', async () => {
    await withService({}, async (service) => {
        const token = await service.organiser();
        await service.sign(signer());
        const inTheWay = service.file('deliveries/1/log.zip.tmp');
        mkdirSync(inTheWay, { recursive: true });
        const id = await order(service, token);
        const delivery = await finished(service, token, id);
        assert.equal(delivery.state, 'done', 'the bundles are there all the same');
        const address = `/api/v1/deliveries/${id}/log.zip`;
        assert.equal((await service.get(address)).status, 404);
        assert.match(service.stderr, /delivery 1: log\.zip cannot be made yet: /);
        rmSync(inTheWay, { recursive: true });
        await until(async () => (await service.get(address)).status === 200, 'log.zip is there', 20000);
        assert.equal(tree((await fetchLog(service, id)).folder).includes('checkpoint'), true);
    });
});
