// `petition verify`: what a stranger can check with nothing but what the petition publishes, and that
// nothing altered passes.

import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Service, bin, environment, parallel, petition, query, run, scratch, signer, until } from './harness.mjs';
import { Log, deliveryEntry, holds, keep, keyOf, logOf, refused, remade, rootOf, signature, unzip, zip } from './mirrors.mjs';

const DELIVERY = 1;
let service;
let log; // of the delivery, with its `dlv` entry, and more behind it
let published; // the size that log.zip is of
let frozen;
let bundles; // by position: {name: Buffer}
let files; // by position: the ZIP
let logZip;
let ann; // a signer of our own, behind the delivery

const names = (folder) => readdirSync(folder).filter((name) => name.endsWith('.zip')).sort();
const totals = (manifest) => ({ root: log.root(manifest.log_size).toString('hex'), dlv: DELIVERY });

/** What another hand will put into bundles, if the server has not. */
async function finishedBundle(bundle) {
    return remade(bundle, service.file('minisign.key'), (others, manifest) => {
        others.checkpoint ??= Buffer.from(log.checkpoint(manifest.log_size));
        Object.assign(manifest, totals(manifest));
    });
}

before(async () => {
    service = await Service.create();
    for (let i = 0; i < 300; i++)
        await service.sign(signer(i, { visibility: ['private', 'addressees', 'public'][i % 3], name: i % 7 ? `Signer ${i}` : `=${i}+"ខ្មែរ"` }));
    for (const i of [400, 401])
        await service.withdraw((await service.sign(signer(i, { visibility: 'public' }))).withdraw);
    await service.succeed(['void', '7', 'fraud']);
    const out = scratch();
    await service.succeed(['deliver', '--out', out]);
    const delivered = names(out).map((name) => unzip(readFileSync(path.join(out, name))));
    frozen = JSON.parse(delivered[0]['manifest.json']).log_size;
    log = await logOf(service);
    log = new Log(log.entries.slice(0, frozen), log.key);
    bundles = await parallel(delivered.length, 4, (i) => finishedBundle(delivered[i]));
    files = bundles.map((bundle, i) => keep(`${i + 1}.zip`, zip(bundle)));
    log = log.with(deliveryEntry(DELIVERY, frozen, bundles));
    published = log.entries.length;
    logZip = log.zip();
    ann = signature(log);
    log = log.with(ann.entry);
});
after(() => service?.close());

const proofFile = (index, size, of = log) => keep('receipt.tlog-proof', of.proof(index, size));
const openingFile = (opening) => keep('receipt.opening.json', JSON.stringify(opening));

// ---- the log

test('a log holds as log.zip and as a folder, and its count follows from its entries', async () => {
    const said = await holds(logZip, '--vkey', log.key.vkey);
    assert.match(said, /count: 302 sign entries - 2 withdrawn - 1 removed = 299 live submissions/);
    assert.match(said, /removed as fraud: 1\n/);
    assert.match(said, new RegExp(`delivery ${DELIVERY}: frozen at size ${frozen}`));
    assert.match(said, /believed: how many of the live submissions are repeats/);
    assert.doesNotMatch(said, /believed: .*key/);
    assert.equal(await holds(log.folder(published), '--vkey', log.key.vkey), said);
});

test('without --vkey the key is the log\'s own, and that is said', async () => {
    assert.match(await holds(logZip), new RegExp(`believed: .*key of the log.*${log.key.vkey.replace(/[+/]/g, '\\$&')}\n`));
    assert.match(await refused(logZip, '--vkey', keyOf(log.key.name, randomBytes(32)).vkey), /not signed with the log's key/);
    assert.match(await refused(log.folder(published, ({ vkey, ...files }) => (assert.ok(vkey), files))), /does not name the log's key/);
});

test('a changed byte in any file of a mirror is refused, and so is a missing file', async () => {
    const names = Object.keys(log.files()).filter((name) => !['README.txt'].includes(name));
    for (const name of names) {
        await refused(log.folder(undefined, (files) => {
            const bytes = Buffer.from(files[name]);
            bytes[Math.floor(bytes.length / 2)] ^= 1;
            return { ...files, [name]: bytes };
        }));
        await refused(log.folder(undefined, ({ [name]: gone, ...files }) => (assert.ok(gone), files)));
    }
});

/** A log of its own, of so many entries. */
function logOfSize(size) {
    const key = keyOf('forge.example', randomBytes(32));
    const open = log.entries[0].toString().replace(/"origin":"[^"]*"/, '"origin":"forge.example"');
    const empty = new Log([Buffer.from(open)], key);
    return empty.with(...Array.from({ length: size - 1 }, () => signature(empty).entry));
}

const NOT_OF_THE_ENTRIES = /tile\/[\d./px]+ does not have the hashes of the entries/;
const lastBitFlipped = (bytes) => {
    const copy = Buffer.from(bytes);
    copy[copy.length - 1] ^= 1;
    return copy;
};

test('a tile that does not follow from the entries is refused, at every size that matters', async () => {
    const long = logOfSize(1000);
    for (const size of [1, 2, 255, 256, 257, 300, 515, 1000]) {
        await holds(long.folder(size));
        for (const name of Object.keys(long.files(size)).filter((one) => /^tile\/\d/.test(one)))
            assert.match(await refused(long.folder(size, (files) => ({ ...files, [name]: lastBitFlipped(files[name]) }))), NOT_OF_THE_ENTRIES);
    }
});

test('at 66,000 entries a forged tile of any level is refused, full or partial', async () => {
    const folder = logOfSize(66_000).folder();
    assert.match(await holds(folder), /66000 entries; root recomputed, 261 tiles compared/);
    for (const name of ['0/000', '0/128', '0/257.p/208', '1/000', '1/001.p/1', '2/000.p/1']) {
        const file = path.join(folder, 'tile', name);
        const bytes = readFileSync(file);
        writeFileSync(file, lastBitFlipped(bytes));
        const line = await refused(folder);
        assert.match(line, NOT_OF_THE_ENTRIES);
        assert.ok(line.includes(`tile/${name} `), line);
        writeFileSync(file, bytes);
    }
    // Forged so that the level above agrees.
    const forged = lastBitFlipped(readFileSync(path.join(folder, 'tile/1/000')));
    writeFileSync(path.join(folder, 'tile/1/000'), forged);
    writeFileSync(path.join(folder, 'tile/2/000.p/1'), rootOf(Array.from({ length: 256 }, (_, i) => forged.subarray(32 * i, 32 * i + 32))));
    assert.match(await refused(folder), NOT_OF_THE_ENTRIES);
});

test('a partial tile may be missing where the full one is there', async () => {
    const size = 200;
    const all = log.files();
    assert.ok(all['tile/0/000'] && all['tile/entries/000']);
    await holds(log.folder(size, (files) => Object.fromEntries([...Object.entries(files).filter(([name]) => !name.startsWith('tile/')),
        ['tile/0/000', all['tile/0/000']], ['tile/entries/000', all['tile/entries/000']]])));
});

test('entries that a log may not have are refused, and each says why', async () => {
    const sign = (index) => signature(log, { index });
    const wd = ann.withdrawal;
    const cases = [
        [[wd, wd], /removed already/],
        [[{ v: 1, t: 'void', i: 7, why: 'test' }], /removed already/],
        [[{ v: 1, t: 'void', i: 0, why: 'test' }], /no earlier signature/],
        [[{ v: 1, t: 'void', i: 99999, why: 'test' }], /no earlier signature/],
        [[{ v: 1, t: 'void', i: 9, why: 'spite' }], /not an entry/],
        [[wd.replace(/"s":"./, (head) => (head.endsWith('A') ? '"s":"B' : '"s":"A'))], /without the secret/],
        [[deliveryEntry(DELIVERY, 5, bundles)], /numbers of the deliveries/],
        [[deliveryEntry(DELIVERY + 1, 99999, bundles)], /frozen later/],
        [[log.entries[0].toString()], /second time/],
        [['{"v":1,"t":"sign"}'], /not an entry/],
        [[`${sign().entry} `], /not an entry/],
        [[JSON.stringify({ v: 1, t: 'close', sign: 1, wd: 2, void: 1, repeats: 0 })], /other numbers/],
        [[JSON.stringify({ v: 1, t: 'close', sign: 303, wd: 2, void: 1, repeats: 301 })], /more repeats/],
        [[JSON.stringify({ v: 1, t: 'close', sign: 303, wd: 2, void: 1, repeats: 3 }), sign().entry], /closes the log/],
    ];
    for (const [more, why] of cases)
        assert.match(await refused(log.with(...more).folder()), why);
    const closed = log.with({ v: 1, t: 'close', sign: 303, wd: 2, void: 1, repeats: 3 }, wd, { v: 1, t: 'void', i: 9, why: 'request' },
        deliveryEntry(DELIVERY + 1, published, bundles));
    assert.match(await holds(closed.folder()), /closed: 3 repeats/);
});

test('a log whose first entry opens another log is refused', async () => {
    const other = log.entries[0].toString().replace(/"origin":"[^"]*"/, '"origin":"elsewhere.example"');
    assert.match(await refused(log.forked(0, other).folder()), /another origin/);
});

// ---- receipts

test('a receipt holds with its private opening, by itself and with the log', async () => {
    const proof = proofFile(ann.index);
    assert.match(await holds(proof, '--vkey', log.key.vkey), new RegExp(`entry ${ann.index} is in the log of size ${log.entries.length}`));
    assert.match(await holds(proof, openingFile(ann.opening), '--vkey', log.key.vkey), /opens the commitment of entry/);
    assert.match(await holds(proof, openingFile(ann.opening), log.zip()), /, live\n/);
    assert.match(await holds(openingFile(ann.opening), log.zip()), /opens the commitment/);
    await holds(proofFile(9, published), logZip);
});

test('a receipt says whether its signature was withdrawn or removed since', async () => {
    const later = log.with(ann.withdrawal);
    assert.match(await holds(proofFile(ann.index), later.zip()), /withdrawn by entry/);
    assert.match(await holds(proofFile(7), later.zip()), /removed \(fraud\) by entry/);
});

test('an opening of anything else is refused', async () => {
    const key = ['--vkey', log.key.vkey];
    const proof = proofFile(ann.index);
    assert.match(await refused(openingFile(ann.opening), ...key), /needs its receipt/);
    assert.match(await refused(openingFile(ann.opening), proofFile(9), ...key), /needs its receipt/);
    const other = (change) => openingFile({ ...ann.opening, ...change });
    const zero = Buffer.alloc(32).toString('base64');
    for (const change of [{ contact: 'bob@example.org' }, { r: zero }, { r2: zero }, { genesis: zero },
        { fields: ann.opening.fields.replace('KH', 'FR') }])
        assert.match(await refused(other(change), proof, ...key), /does not open the commitment/);
    for (const change of [{ v: 2 }, { extra: 1 }, { index: String(ann.index) }, { fields: '{}' }, { fields: ann.opening.fields.replace(',', ', ') }])
        assert.match(await refused(other(change), proof, ...key), /damaged private opening/);
    const lying = signature(log, { text: 4 });
    assert.match(await refused(openingFile(lying.opening), log.with(lying.entry).zip()), /another log|another text|does not open/);
});

test('a receipt from a fork is refused: of another key, and of the same one', async () => {
    const fork = log.forked(5, signature(log).entry);
    const proof = proofFile(5, undefined, fork);
    await holds(proof, '--vkey', log.key.vkey); // alone it cannot be told
    assert.match(await refused(proof, log.zip()), /another root/);
    assert.match(await refused(proof, proofFile(5), '--vkey', log.key.vkey), /forked/);
    const stranger = new Log(log.entries, keyOf(log.key.name, randomBytes(32)));
    assert.match(await refused(proofFile(5, undefined, stranger), log.zip()), /not signed with the log's key/);
    assert.match(await refused(proofFile(5, undefined, stranger), '--vkey', log.key.vkey), /not signed/);
    assert.match(await refused(proofFile(9), logZip), /has \d+ entries only/);
});

test('a proof of what is no signature is no receipt', async () => {
    assert.match(await refused(proofFile(0), '--vkey', log.key.vkey), /not a signature/);
});

// ---- checkpoints

test('two checkpoints are consistent if the log begins with both', async () => {
    const [older, newer] = [keep('older', log.checkpoint(100)), keep('newer', log.checkpoint())];
    assert.match(await holds(older, newer, log.zip()), /older: signed checkpoint of size 100; the log begins with it/);
    assert.match(await refused(older, newer, '--vkey', log.key.vkey), /give the log, too/);
    assert.match(await refused(newer, logZip), /entries only/);
    const fork = log.forked(5, signature(log).entry);
    assert.match(await refused(keep('fork', fork.checkpoint(100)), newer, log.zip()), /another root/);
    assert.match(await refused(keep('fork', fork.checkpoint()), newer, '--vkey', log.key.vkey), /forked/);
});

/** Serves a mirror; `at` is how many entries it has. */
async function serving(mirror, work) {
    const server = http.createServer((request, response) => {
        const files = { ...mirror.of.files(mirror.size), 'api/v1/petition': Buffer.from(JSON.stringify({ log_vkey: mirror.of.key.vkey })) };
        const bytes = files[request.url.slice(1)];
        response.writeHead(bytes ? 200 : 404);
        response.end(bytes);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
        return await work(`http://127.0.0.1:${server.address().port}/`);
    } finally {
        server.close();
        server.closeAllConnections();
    }
}

test('a server is checked by its address, and --save keeps what was seen for the next time', async () => {
    const saved = path.join(scratch(), 'seen');
    const mirror = { of: log, size: 280 };
    await serving(mirror, async (url) => {
        assert.match(await holds(url, '--save', saved), /280 entries/);
        assert.equal(readFileSync(saved, 'utf8'), log.checkpoint(280));
        assert.equal(statSync(saved).mode & 0o777, 0o600);
        mirror.size = log.entries.length;
        assert.match(await holds(url, proofFile(9, 290), '--save', saved), /still begins with the 280 entries/);
        mirror.of = log.forked(5, signature(log).entry);
        assert.match(await refused(url, '--save', saved), /another root/);
        mirror.of = log;
        mirror.size = 250;
        assert.match(await refused(url, '--save', saved), /250 entries only/);
        assert.equal(readFileSync(saved, 'utf8'), log.checkpoint(), 'what was refused is not kept');
    });
    assert.match(await refused('http://127.0.0.1:9/', '--save', saved), /connect/);
});

/** A SOCKS5 proxy that leads every name to one port here, as Tor leads to an onion service; the names go into `asked`. */
async function socks(port, asked, work) {
    const proxy = net.createServer((client) => {
        client.on('error', () => {});
        client.once('data', () => { // its ways to log in
            client.write(Buffer.from([5, 0]));
            client.once('data', (request) => {
                assert.deepEqual([...request.subarray(0, 4)], [5, 1, 0, 3], 'to a name, not to an address');
                asked.push(request.subarray(5, 5 + request[4]).toString());
                const server = net.connect(port, '127.0.0.1', () => {
                    client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
                    client.pipe(server).pipe(client);
                }).on('error', () => client.destroy());
            });
        });
    });
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
        return await work(`socks5h://127.0.0.1:${proxy.address().port}`);
    } finally {
        proxy.close();
    }
}

test('an onion service is checked over a SOCKS proxy, which gets its name', async () => {
    const asked = [];
    const name = `${'a'.repeat(56)}.onion`;
    await serving({ of: log, size: 280 }, async (url) => {
        await socks(Number(new URL(url).port), asked, async (address) => {
            const result = await run(bin, ['verify', `http://${name}/`], { env: { ...environment(), ALL_PROXY: address } });
            assert.equal(result.status, 0, result.stderr);
            assert.match(result.stdout, /280 entries/);
        });
    });
    assert.ok(asked.length > 0 && asked.every((one) => one === name), asked.join());
});

test('https is believed with a certificate of somebody trusted, in the name that it is for, and with no other', async () => {
    const dir = scratch();
    const made = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
        '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`]);
    assert.equal(made.status, 0, made.stderr);
    await serving({ of: log, size: 280 }, async (url) => {
        let requests = 0;
        const server = https.createServer({ key: readFileSync(`${dir}/key.pem`), cert: readFileSync(`${dir}/cert.pem`) }, (request, response) => {
            requests++;
            http.get(new URL(request.url, url), (answer) => answer.pipe(response.writeHead(answer.statusCode)));
        });
        await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
        const verified = (host, file) => run(bin, ['verify', `https://${host}:${server.address().port}/`],
            { env: { ...environment(), SSL_CERT_FILE: file } });
        try {
            for (const [host, file] of [['127.0.0.1', ''], ['localhost', `${dir}/cert.pem`], ['127.0.0.1', `${dir}/none.pem`]]) {
                const { status, stderr } = await verified(host, file);
                assert.equal(status, 1);
                assert.match(stderr, /certificate|SSL/);
            }
            assert.equal(requests, 0);
            const { status, stdout, stderr } = await verified('127.0.0.1', `${dir}/cert.pem`);
            assert.equal(status, 0, stderr);
            assert.match(stdout, /280 entries/);
        } finally {
            server.close();
            server.closeAllConnections();
        }
    });
});

test('the log that our own server serves holds, and the next time it still begins with what was seen', async () => {
    const saved = path.join(scratch(), 'seen');
    const vkey = (await service.get('/api/v1/petition')).json.log_vkey;
    assert.equal(vkey, log.key.vkey);
    const settled = async () => {
        await until(async () => {
            const [{ n }] = await query(service.dir, 'SELECT COUNT(*) AS n FROM log_entry');
            return (await service.get('/checkpoint')).text.split('\n')[1] === String(n);
        }, 'all entries are published');
    };
    await settled();
    assert.match(await holds(service.origin, '--vkey', vkey, '--save', saved), /302 sign entries - 2 withdrawn - 1 removed/);
    const receipt = await service.sign(signer(500));
    await settled();
    assert.match(await holds(`${service.origin}/`, '--save', saved), /still begins with/);
    assert.match(await refused(log.folder(), '--save', saved), /another root|entries only/);
    const own = await logOf(service);
    assert.match(await holds(proofFile(receipt.index, undefined, own), service.origin), /, live\n/);
});

// ---- bundles

test('all 19 bundles hold by themselves and with the log', async () => {
    for (const [i, file] of files.entries()) {
        const said = await holds(file, logZip);
        assert.match(said, new RegExp(`addressee ${i + 1}: 299 rows, ${i === 1 ? 0 : 200} with name`));
        assert.match(said, /none is left out/);
        assert.match(said, /believed: .*tier of each row, the countries of private rows, repeats/);
    }
    const key = (await service.get('/api/v1/petition')).json.minisign_key;
    assert.doesNotMatch(await holds(files[7], logZip, '--vkey', log.key.vkey, '--minisign', key), /believed: .*key/);
    assert.match(await holds(files[7]), /believed: that the rows.* are the log's/);
    assert.match(await holds(files[7], logZip), /believed: what the letters say, and the words and tables of the summary\n/);
    await holds(...files, logZip);
});

test('a bundle as the server makes it now holds by itself', async () => {
    const out = scratch();
    await service.succeed(['deliver', '--out', out]);
    for (const name of names(out))
        await holds(path.join(out, name));
});

/** The log of a dishonest operator, whose delivery names the altered bundle. */
async function operatorsLog(bundle, position) {
    const honest = new Log(log.entries.slice(0, frozen), log.key);
    return honest.with(deliveryEntry(DELIVERY, frozen, bundles.map((one, i) => (i === position ? bundle : one)))).zip();
}

const PART = 'signatures/part-001.csv';
const rows = (others, change) => {
    const lines = others[PART].toString().split('\r\n');
    others[PART] = Buffer.from(change(lines).join('\r\n'));
};

test('an altered, a dropped, a repeated, a foreign row: refused, even when the operator signs it', async () => {
    const position = 7;
    const at = (lines, pattern) => lines.findIndex((line) => pattern.test(line));
    const fewer = (manifest) => {
        manifest.submissions--;
        manifest.signatures--;
    };
    const cases = {
        'altered name': [(lines) => lines.map((line) => line.replace('"Signer 1"', '"Signer X"')), /something else than was signed/],
        'altered fields': [(lines) => lines.map((line, i) => (i === at(lines, /"Signer 1"/) ? line.replace(/"([^"]*)"$/, (_, b64) => {
            return `"${Buffer.from(Buffer.from(b64, 'base64').toString().replace('Signer 1', 'Signer X')).toString('base64')}"`;
        }).replace('"Signer 1"', '"Signer X"') : line)), /does not open the commitment/],
        'altered hash': [(lines) => lines.map((line, i) => (i === 3 ? line.replace(/"[0-9a-f]{64}"/, `"${'0'.repeat(64)}"`) : line)), /another hash/],
        'swapped hashes': [(lines) => {
            const [a, b] = [1, 4].map((i) => lines[i].match(/[0-9a-f]{64}/)[0]);
            return lines.map((line) => (line.includes(a) ? line.replace(a, b) : line.replace(b, a)));
        }, /another hash/],
        'dropped row': [(lines) => lines.filter((_, i) => i !== 5), /number of rows/],
        'dropped row, and totals to fit': [(lines) => lines.filter((_, i) => i !== 5), /not as many as are live/, fewer],
        'repeated row': [(lines) => [...lines.slice(0, 5), lines[4], ...lines.slice(5)], /out of order/],
        'a removed signer': [(lines) => lines.map((line, i) => (i === 7 ? `7,"unconfirmed","${log.leaves[7].toString('hex')}",,,,,` : line)), /withdrawn or removed|out of order/],
        'cut off': [(lines) => lines.slice(0, -1), /cut off/],
        'another header': [(lines) => [lines[0].replace('tier', 'tear'), ...lines.slice(1)], /header/],
    };
    for (const [what, one] of Object.entries(cases)) {
        const [change, why, manifest = () => {}] = one;
        const bundle = await remade(bundles[position], service.file('minisign.key'), (others, its) => {
            const before = others[PART].toString();
            rows(others, change);
            assert.notEqual(others[PART].toString(), before, what);
            manifest(its);
            if (one.length > 2) {
                const summary = JSON.parse(others['summary.json']);
                manifest(summary);
                others['summary.json'] = Buffer.from(JSON.stringify(summary));
            }
        });
        const file = keep('altered.zip', zip(bundle));
        assert.match(await refused(file, logZip), /manifest is not the one/, what);
        assert.match(await refused(file, await operatorsLog(bundle, position)), why, what);
    }
});

test('names in the bundle of an addressee who gets none: refused', async () => {
    const bundle = await remade(bundles[1], service.file('minisign.key'), (others) => {
        others[PART] = bundles[7][PART];
    });
    assert.match(await refused(keep('named.zip', zip(bundle)), await operatorsLog(bundle, 1)), /gets none/);
});

test('a bundle of another delivery, of another addressee, of another log: refused', async () => {
    const key = service.file('minisign.key');
    const other = await remade(bundles[7], key, (_, manifest) => Object.assign(manifest, { delivery: 2 }));
    assert.match(await refused(keep('other.zip', zip(other)), logZip), /delivery is not in the log/);
    const longer = log.with(deliveryEntry(2, log.entries.length, bundles)).zip();
    assert.match(await refused(keep('other.zip', zip(other)), longer), /another size/);
    const addressee = await remade(bundles[7], key, (_, manifest) => Object.assign(manifest, { addressee: 9 }));
    assert.match(await refused(keep('other.zip', zip(addressee)), logZip), /manifest is not the one/);
    const fork = new Log(log.entries.slice(0, frozen), log.key).forked(5, signature(log).entry)
        .with(deliveryEntry(DELIVERY, frozen, bundles));
    assert.match(await refused(files[7], fork.zip()), /another root/);
});

test('with the log a bundle without checkpoint or root is refused', async () => {
    for (const change of [(others) => delete others.checkpoint, (_, manifest) => delete manifest.root]) {
        const bundle = await remade(bundles[7], service.file('minisign.key'), change);
        assert.match(await refused(keep('less.zip', zip(bundle)), await operatorsLog(bundle, 7)), /no checkpoint or no root/);
    }
});

test('sums, signature and totals are looked at without the log, too', async () => {
    const bundle = bundles[7];
    const altered = (change) => keep('altered.zip', zip({ ...bundle, ...change(bundle) }));
    const text = (name, from, to) => ({ [name]: Buffer.from(bundle[name].toString().replace(from, to)) });
    assert.match(await refused(altered(() => text('summary.html', '<', '<!-- --><'))), /not the file that was signed/);
    assert.match(await refused(altered(() => ({ 'more.txt': Buffer.from('x') }))), /more.txt is not in SHA256SUMS/);
    assert.match(await refused(altered(() => text('SHA256SUMS', /^./, 'x'))), /list of sums|does not hold/);
    assert.match(await refused(altered(() => text('SHA256SUMS.minisig', 'addressee', 'Addressee'))), /does not hold/);
    const { 'summary.html': gone, ...less } = bundle;
    assert.ok(gone);
    assert.match(await refused(keep('less.zip', zip(less))), /is missing/);
    const stranger = await Service.create();
    try {
        const key = (await stranger.get('/api/v1/petition')).json.minisign_key;
        assert.match(await refused(files[7], '--minisign', key), /another minisign key/);
    } finally {
        await stranger.close();
    }
    const lying = await remade(bundle, service.file('minisign.key'), (_, manifest) => Object.assign(manifest, { repeats: 5 }));
    assert.match(await refused(keep('lying.zip', zip(lying))), /other totals|do not add up/);
});

// ---- mutations

/** Numbers that are the same in every run (splitmix32). */
function random(seed) {
    let state = seed;
    return (bound) => {
        state = (state + 0x9e3779b9) | 0;
        let z = state ^ (state >>> 16);
        z = Math.imul(z, 0x21f0aaad);
        z ^= z >>> 15;
        z = Math.imul(z, 0x735a2d97);
        return ((z ^ (z >>> 15)) >>> 0) % bound;
    };
}

const mutations = {
    'a bit flipped': (bytes, below) => {
        const copy = Buffer.from(bytes);
        copy[below(copy.length)] ^= 1 << below(8);
        return copy;
    },
    'a byte changed': (bytes, below) => {
        const copy = Buffer.from(bytes);
        const at = below(copy.length);
        copy[at] = (copy[at] + 1 + below(255)) % 256;
        return copy;
    },
    'cut off': (bytes, below) => bytes.subarray(0, below(bytes.length)),
    'a byte missing': (bytes, below) => {
        const at = below(bytes.length);
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    },
    'a byte more': (bytes, below) => {
        const at = below(bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, at), Buffer.from([below(256)]), bytes.subarray(at)]);
    },
};

/** The same members with the same bytes, packed in another way: no mutation of what it says. */
function sameContent(bytes, files) {
    try {
        const others = unzip(bytes);
        return Object.keys(others).join() === Object.keys(files).join() &&
            Object.entries(files).every(([name, one]) => one.equals(others[name]));
    } catch {
        return false;
    }
}

async function mutate(bytes, count, name, args, same = () => false) {
    const below = random(20171023);
    const kinds = Object.values(mutations);
    const file = path.join(scratch(), name);
    writeFileSync(file, bytes);
    await holds(file, ...args); // as it is
    let done = 0;
    for (let i = 0; done < count; i++) {
        const mutated = kinds[i % kinds.length](bytes, below);
        if (mutated.equals(bytes))
            continue;
        writeFileSync(file, mutated);
        const result = await petition(['verify', file, ...args]);
        if (result.status === 0 && same(mutated))
            continue;
        assert.notEqual(result.status, 0, `${Object.keys(mutations)[i % kinds.length]} (${i})`);
        assert.match(result.stderr, /^petition: [^\n]*\n$/);
        assert.equal(result.stdout, '');
        done++;
    }
    return done;
}

test('of 500 mutated receipts and openings none is accepted', async () => {
    const key = ['--vkey', log.key.vkey];
    const proof = Buffer.from(log.proof(ann.index));
    const opening = Buffer.from(JSON.stringify(ann.opening));
    assert.equal(await mutate(proof, 250, 'receipt.tlog-proof', key), 250);
    assert.equal(await mutate(opening, 150, 'receipt.opening.json', [proofFile(ann.index), ...key]), 150);
    assert.equal(await mutate(Buffer.from(log.checkpoint()), 100, 'checkpoint', key), 100);
});

test('of 400 mutated bundles none is accepted', async () => {
    const bytes = readFileSync(files[7]);
    assert.equal(await mutate(bytes, 400, 'bundle.zip', [logZip], (mutated) => sameContent(mutated, bundles[7])), 400);
});

test('of 300 mutations of a bundle as the server packs it none is accepted, not even one that unpacks to the same', async () => {
    const out = scratch();
    await service.succeed(['deliver', '--out', out]);
    const bytes = readFileSync(path.join(out, names(out)[7]));
    assert.equal(await mutate(bytes, 300, 'bundle.zip', []), 300);
    const files = unzip(bytes);
    assert.match(JSON.parse(files['manifest.json']).zlib, /^\d+\.\d+/);
    assert.match(await refused(keep('packed-anew.zip', zip(files))), /not packed as this service packs it/);
});

// ---- usage

test('files of 10 MB, empty ones, folders without a log, and none at all: a clear line', async () => {
    const key = ['--vkey', log.key.vkey];
    for (const bytes of [Buffer.alloc(10_000_000, 'x'), Buffer.alloc(0), Buffer.from('PK\x03\x04'), Buffer.from('{'), randomBytes(10_000_000),
        Buffer.from('c2sp.org/tlog-proof@v1\n')])
        await refused(keep('thing', bytes), ...key);
    assert.match(await refused(scratch(), ...key), /checkpoint is missing/);
    assert.match(await refused(path.join(scratch(), 'nowhere'), ...key), /No such file/);
    for (const args of [[], [proofFile(9)], [proofFile(9), '--vkey', 'x'], [proofFile(9), ...key, '--save', 'x'], [logZip, logZip]]) {
        const result = await petition(['verify', ...args]);
        assert.equal(result.status, 2, result.stderr);
        assert.match(result.stderr, /^petition: [^\n]*\n$/);
    }
    assert.ok(!existsSync('x'));
});
