// Receipts: the page after signing until the entry is published, the full receipt in a second step,
// the answer for those at risk, and what /receipt says of a code or a .tlog-proof. The commitment
// and the proof are computed here anew.

import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { Service, findWithdrawCode, load, query, scratch, signer, until, withService } from './harness.mjs';

const foreign = createRequire(import.meta.url);
const { verifyMerkleInclusion } = foreign('@sigstore/verify/dist/tlog/merkle.js');
const { verifyCheckpoint } = foreign('@sigstore/verify/dist/tlog/checkpoint.js');

const LANGS = ['en', 'fr', 'km'];
const KM_NAME = 'សុខ សាន "ដារ៉ា" \\';

let service;
before(async () => {
    service = await Service.create();
});
after(() => service?.close());

// ---- what a receipt is, computed independently

const sha256 = (...pieces) => {
    const hash = createHash('sha256');
    for (const piece of pieces)
        hash.update(piece);
    return hash.digest();
};
const leafHash = (entry) => sha256(Buffer.of(0), entry);
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);
const bytes = (base64) => Buffer.from(base64, 'base64');

/** RFC 9162, 2.1.3.2. */
function rootOf(leaf, index, size, path) {
    let [fn, sn, r] = [index, size - 1, leaf];
    for (const hash of path) {
        assert.notEqual(sn, 0);
        if (fn % 2 === 1 || fn === sn) {
            r = nodeHash(hash, r);
            while (fn % 2 === 0 && fn !== 0) {
                fn = Math.floor(fn / 2);
                sn = Math.floor(sn / 2);
            }
        } else {
            r = nodeHash(r, hash);
        }
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
    }
    assert.equal(sn, 0);
    return r;
}

function parseProof(text) {
    const [head, ...rest] = text.split('\n\n');
    const [version, extra, index, ...path] = head.split('\n');
    const [origin, size, root] = rest[0].split('\n');
    assert.equal(version, 'c2sp.org/tlog-proof@v1');
    assert.match(extra, /^extra /);
    assert.match(index, /^index \d+$/);
    return { entry: bytes(extra.slice(6)), index: Number(index.slice(6)), path: path.map(bytes),
        checkpoint: rest.join('\n\n'), origin, size: Number(size), root: bytes(root) };
}

// ---- the way through the pages

const hidden = (html, name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1];

async function signByForm(to, fields, lang = 'en') {
    const answer = await to.form(`/${lang}/sign`, { visibility: 'private', ...fields });
    assert.equal(answer.status, 303, answer.text);
    return answer.headers.location;
}

/** The thank-you page, once its entry is published. */
const publishedPage = (to, location) => until(async () => {
    const page = await to.get(location);
    assert.equal(page.status, 200);
    return page.text.includes('/receipt/save') && page;
}, 'the entry is published');

async function download(to, location, lang = 'en') {
    const page = await publishedPage(to, location);
    const ticket = hidden(page.text, 'ticket');
    const step = await to.form(`/${lang}/receipt/save`, { ticket });
    assert.equal(step.status, 200);
    const [proof, opening] = await Promise.all(['proof', 'opening']
        .map((file) => to.form(`/${lang}/receipt/save`, { ticket, file })));
    return { page, step, proof, opening };
}

const ask = (receipt, lang = 'en', to = service) => to.form(`/${lang}/receipt`, { receipt });
const words = (html) => html.replace(/<style>.*?<\/style>/s, ' ').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');

async function shortCode(to, fields) {
    const receipt = await to.sign(fields);
    await to.published(receipt.index + 1);
    return receipt;
}

// ---- after signing

test('until its entry is published, the page says when it will be and loads itself again; then it stops', async () => {
    const slow = await Service.create({ settings: { publish_every: 30, publish_min: 20 } });
    try {
        for (const lang of LANGS) {
            const location = await signByForm(slow, signer(`wait-${lang}`), lang);
            const page = await slow.get(location);
            assert.equal(page.headers.refresh, '30');
            assert.match(page.text, /30/);
            assert.ok(!page.text.includes('/receipt/save'), 'nothing to save yet');
            assert.ok(findWithdrawCode(page.text));
            // Whoever is disturbed by it turns it off.
            const still = /href="([^"]*\?still=1)"/.exec(page.text)[1];
            const quiet = await slow.get(still);
            assert.equal(quiet.status, 200);
            assert.equal(quiet.headers.refresh, undefined);
            assert.equal(findWithdrawCode(quiet.text), findWithdrawCode(page.text));
            assert.ok(quiet.text.includes(`href="${location}"`));
        }
        const location = await signByForm(slow, signer('last'));
        const code = findWithdrawCode((await slow.get(location)).text);
        await slow.restart(); // publishes
        const page = await slow.get(location);
        assert.equal(page.headers.refresh, undefined);
        assert.match(words(page.text), /is in the public log/);
        assert.equal(findWithdrawCode(page.text), code);
        assert.ok(!page.text.includes('/receipt/save'), 'the key of the receipt is gone with the process');
        assert.match(words(page.text), /can no longer be saved/);
    } finally {
        await slow.close();
    }
});

test('a published page does not load itself again', async () => {
    const page = await publishedPage(service, await signByForm(service, signer('published')));
    assert.equal(page.headers.refresh, undefined);
    assert.match(page.headers['cache-control'], /no-store/);
});

test('the full receipt opens the entry: proof and commitment, computed anew', async () => {
    for (const visibility of ['private', 'public']) {
        const location = await signByForm(service, { name: KM_NAME, contact: ' Sok.San+x@Gmail.com ', country: 'KH', visibility });
        const { page, step, proof, opening } = await download(service, location);
        assert.match(words(step.text), /can prove to anybody that you signed/);
        for (const file of [proof, opening]) {
            assert.equal(file.status, 200);
            assert.match(file.headers['cache-control'], /no-store/);
            assert.match(file.headers['content-disposition'], /^attachment; filename="petition-receipt\.[a-z.-]+"$/);
        }
        const p = parseProof(proof.text);
        assert.deepEqual(rootOf(leafHash(p.entry), p.index, p.size, p.path), p.root);
        assert.ok(page.text.includes(`${p.index}-`));
        const o = opening.json;
        assert.deepEqual(Object.keys(o), ['v', 'index', 'genesis', 'r', 'r2', 'contact', 'fields']);
        assert.equal(opening.text, JSON.stringify(o), 'compact, one spelling');
        assert.equal(o.contact, 'soksan@gmail.com');
        const [{ body }] = await query(service.dir, 'SELECT CAST(body AS TEXT) AS body FROM log_entry WHERE idx = 0');
        assert.deepEqual(bytes(o.genesis), leafHash(body));
        const fields = JSON.parse(o.fields);
        assert.equal(fields.name, KM_NAME);
        assert.equal(fields.visibility, visibility);
        const ch = sha256('petition-contact/v1\n', bytes(o.r2), o.contact);
        const c = sha256('petition-sign/v1\n', bytes(o.genesis), bytes(o.r), ch, o.fields);
        assert.equal(JSON.parse(p.entry).c, c.toString('base64'));
        assert.equal(o.index, p.index);
    }
});

test('neither the address nor any page names the signer', async () => {
    const location = await signByForm(service, signer('hidden', { name: 'Quillon Vexley', contact: 'quillon.vexley@example.org' }));
    const { page, step } = await download(service, location);
    assert.ok(!/quillon|vexley/i.test(location + page.text + step.text));
});

test('the longest name and contact still make an address that every proxy takes', async () => {
    const contact = `${'a'.repeat(60)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.org`;
    const location = await signByForm(service, signer('long', { name: '𝒜'.repeat(200), contact }));
    assert.ok(location.length < 3000, `${location.length}`);
    const { opening } = await download(service, location);
    assert.equal(opening.json.contact, contact);
    assert.equal([...JSON.parse(opening.json.fields).name].length, 200);
});

test('a ticket that is altered, of another page or missing saves nothing', async () => {
    const [one, two] = [await signByForm(service, signer('ticket-1')), await signByForm(service, signer('ticket-2'))]
        .map((location) => location.split('/').pop());
    const codes = 160;
    for (const ticket of ['', 'AAAA', one.slice(0, codes), one.slice(0, codes) + two.slice(codes), `${one}AAAA`,
        one.slice(0, -4), `${one.slice(0, 9)}${one[9] === 'A' ? 'B' : 'A'}${one.slice(10)}`]) {
        for (const file of ['', 'proof', 'opening']) {
            const answer = await service.form('/km/receipt/save', { ticket, file });
            assert.equal(answer.status, 410, ticket);
            assert.equal(answer.headers['content-disposition'], undefined);
            assert.match(answer.text, /<html[^>]* lang="km"/);
        }
    }
    assert.equal((await service.get('/en/receipt/save')).status, 405);
});

test('a form that is sent again gets its codes, and no receipt that would not fit', async () => {
    const fields = { ...signer('again'), visibility: 'private', seed: Buffer.alloc(16, 7).toString('base64') };
    const first = await download(service, await signByForm(service, fields));
    const again = await service.get(await signByForm(service, fields));
    assert.equal(findWithdrawCode(again.text), findWithdrawCode(first.page.text));
    assert.ok(!again.text.includes('/receipt/save'));
    assert.match(words(again.text), /can no longer be saved/);
});

// ---- at risk

test('whoever is at risk gets the codes at once, without address, reload or receipt, and the browser is asked to forget', async () => {
    for (const lang of LANGS) {
        for (const risk of ['1', 'on', 'yes', 'anything']) {
            const answer = await service.form(`/${lang}/sign`, { ...signer(`risk-${lang}`), visibility: 'private', risk });
            assert.equal(answer.status, 200);
            assert.equal(answer.headers.location, undefined);
            assert.equal(answer.headers.refresh, undefined);
            assert.equal(answer.headers['clear-site-data'], '"cache", "storage"');
            assert.match(answer.headers['cache-control'], /no-store/);
            assert.match(answer.text, new RegExp(`<html[^>]* lang="${lang}"`));
            assert.ok(findWithdrawCode(answer.text));
            assert.ok(!/name="ticket"|receipt\/save|\/thanks\/|t\.me|http-equiv/.test(answer.text));
        }
        const page = await service.get(`/${lang}`);
        assert.match(page.text, /<input type="checkbox" id="risk" name="risk"/);
    }
});

test('"no" to the question, or leaving it out, is a usual answer', async () => {
    for (const more of [{}, { risk: '' }, { risk: '0' }, { risk: 'no' }])
        assert.equal((await service.form('/en/sign', { ...signer('norisk'), visibility: 'private', ...more })).status, 303);
});

test('a mistake in the form does not lose the choice, and the code of somebody at risk withdraws', async () => {
    const refused = await service.form('/fr/sign', { ...signer('risk'), name: '', risk: '1' });
    assert.equal(refused.status, 422);
    assert.match(refused.text, /id="risk" name="risk" value="1" checked/);
    const answer = await service.form('/fr/sign', { ...signer('risk'), visibility: 'private', risk: '1' });
    assert.equal((await service.withdraw(findWithdrawCode(answer.text))).status, 200);
});

test('the API knows no such member', async () => {
    const answer = await service.json('/api/v1/signatures', signer('risk-api', { risk: '1' }));
    assert.equal(answer.status, 422);
    assert.equal(answer.json.errors.risk, 'unknown');
});

// ---- looking a receipt up

test('a code says since when its signature is in the log, in three languages and any spelling', async () => {
    const receipt = await shortCode(service, signer('found'));
    const since = await query(service.dir, `SELECT min(size) AS n FROM log_checkpoint WHERE size > ${receipt.index}`);
    for (const lang of LANGS) {
        for (const spelling of [receipt.code, receipt.code.toLowerCase(), ` ${receipt.code}\n`,
            receipt.code.replaceAll('-', ''), receipt.code.replaceAll('-', ' - ').replaceAll('0', 'O'), `#${receipt.code}`]) {
            const answer = await ask(spelling, lang);
            assert.equal(answer.status, 200, spelling);
            assert.match(answer.text, new RegExp(`<html[^>]* lang="${lang}"`));
            assert.match(answer.headers['cache-control'], /no-store/);
            assert.ok(words(answer.text).replace(/[,\u202f]/g, '').includes(`${since[0].n}`));
            assert.ok(answer.text.includes(`<dd>${receipt.index}</dd>`));
        }
    }
});

test('withdrawn and removed are told with their entry, the reason too', async () => {
    const gone = await shortCode(service, signer('gone'));
    const removed = await shortCode(service, signer('removed'));
    await service.withdraw(gone.withdraw);
    await service.succeed(['void', String(removed.index), 'duplicate']);
    const [{ n }] = await query(service.dir, 'SELECT max(idx) + 1 AS n FROM log_entry');
    await service.published(n);
    const [withdrawal, removal] = await query(service.dir, `SELECT entry FROM log_end WHERE idx IN (${gone.index}, ${removed.index}) ORDER BY idx`);
    assert.match(words((await ask(gone.code)).text), new RegExp(`withdrawn it \\(entry no. ${withdrawal.entry} `));
    const text = words((await ask(removed.code)).text);
    assert.match(text, new RegExp(`removed it \\(entry no. ${removal.entry} `));
    assert.match(text, /Reason: the same person signed twice/);
});

test('what is not published yet is not told', async () => {
    const slow = await Service.create({ settings: { publish_every: 600, publish_min: 1000 } });
    try {
        const receipt = await slow.sign(signer('slow'));
        assert.equal((await ask(receipt.code, 'en', slow)).status, 404);
        await slow.restart();
        assert.match(words((await ask(receipt.code, 'en', slow)).text), /It is valid/);
        await slow.withdraw(receipt.withdraw);
        assert.match(words((await ask(receipt.code, 'en', slow)).text), /It is valid/, 'as of what is published');
        await slow.restart();
        assert.match(words((await ask(receipt.code, 'en', slow)).text), /withdrawn it/);
    } finally {
        await slow.close();
    }
});

test('an answer depends on its own entry only: who signed again changes no byte of it', async () => {
    const fields = signer('own');
    const receipt = await shortCode(service, fields);
    const before_ = await ask(receipt.code);
    const again = await shortCode(service, { ...fields, name: 'Somebody Else' });
    await service.withdraw(again.withdraw);
    await service.published(again.index + 2);
    assert.equal((await ask(receipt.code)).text, before_.text);
});

/** A .tlog-proof by sigstore's code: its checkpoint and that the entry is in its tree, or an exception. Only the lines are told apart here. */
function judgeBySigstore(text, vkey) {
    const [, name, id, typed] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey);
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes(typed).subarray(1)]);
    const log = { baseURL: name, logID: Buffer.from(id, 'hex'), publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
    const [, extra, index, ...hashes] = text.slice(0, text.indexOf('\n\n')).split('\n');
    const entry = {
        canonicalizedBody: bytes(extra.slice('extra '.length)),
        inclusionProof: {
            logIndex: index.slice('index '.length),
            hashes: hashes.map(bytes),
            checkpoint: { envelope: text.slice(text.indexOf('\n\n') + 2) },
        },
    };
    const checkpoint = verifyCheckpoint(entry, [log]);
    verifyMerkleInclusion(entry, checkpoint);
    return { index: Number(entry.inclusionProof.logIndex), size: Number(checkpoint.logSize), path: hashes };
}

test('sigstore accepts the receipts that the server gives, at every size, and refuses what was changed', async () => {
    await withService({}, async (own) => {
        const vkey = (await own.get('/api/v1/petition')).json.log_vkey;
        const seen = new Set();
        const judge = async (location) => {
            const { proof } = await download(own, location);
            const p = judgeBySigstore(proof.text, vkey);
            seen.add(p.size);
            return { ...p, text: proof.text };
        };
        const locations = [];
        for (let i = 0; i < 4; i++) {
            locations.push(await signByForm(own, signer(`form-${i}`)));
            for (const location of locations)
                await judge(location);
            await load(own, { limit: 70 + i, width: 8, fields: (n) => signer(`${i}-${n}`) }).done;
        }
        await own.published((await query(own.dir, 'SELECT COUNT(*) AS n FROM log_entry'))[0].n);
        for (const location of locations)
            assert.ok((await judge(location)).path.length >= 7, 'over more than a tile');
        assert.ok(seen.size >= 5 && Math.max(...seen) > 256, [...seen].join());

        const { text, index, size, path } = await judge(locations[2]);
        const another = (await judge(locations[1])).text;
        const changes = {
            'another index': text.replace(`index ${index}`, `index ${index + 1}`),
            'another entry': text.replace(/^extra .*$/m, /^extra .*$/m.exec(another)[0]),
            'another path': text.replace(path[0], path[1]),
            'a shorter path': text.replace(`${path[0]}\n`, ''),
            'another size': text.replace(`\n${size}\n`, `\n${size + 1}\n`),
            'another root': text.replace(/^(\d+\n)(.*)$/m, (_, head) => `${head}${'A'.repeat(43)}=`),
        };
        for (const [what, changed] of Object.entries(changes)) {
            assert.notEqual(changed, text, what);
            assert.throws(() => judgeBySigstore(changed, vkey), what);
        }
    });
});

test('a .tlog-proof is recognised, as downloaded and as forms and people change its line ends', async () => {
    const { proof } = await download(service, await signByForm(service, signer('proof')));
    for (const spelling of [proof.text, proof.text.replaceAll('\n', '\r\n'), proof.text.trimEnd(), `\n  ${proof.text}\n\n`]) {
        const answer = await ask(spelling);
        assert.equal(answer.status, 200, spelling);
        assert.match(words(answer.text), /The receipt is genuine/);
    }
    // The log grows, and the old receipt stays good.
    const later = await shortCode(service, signer('proof-later'));
    assert.ok(later.index > 0);
    assert.match(words((await ask(proof.text)).text), /The receipt is genuine/);
});

test('the private part and a withdrawal code are refused kindly, and not repeated', async () => {
    const { page, opening } = await download(service, await signByForm(service, signer('private')));
    for (const lang of LANGS) {
        for (const secret of [opening.text, `\n${JSON.stringify(opening.json, null, 2)}`, opening.text.slice(5), findWithdrawCode(page.text)]) {
            const answer = await ask(secret, lang);
            assert.equal(answer.status, 422);
            for (const piece of [opening.json.r, opening.json.contact, findWithdrawCode(page.text)])
                assert.ok(!answer.text.includes(piece));
        }
    }
    assert.match(words((await ask(opening.text)).text), /never paste it anywhere/);
    assert.match(words((await ask(findWithdrawCode(page.text))).text), /This is a withdrawal code/);
    assert.equal((await service.count()).log_size, (await service.published(0)).log_size);
});

test('mistyped, unknown and future codes each have an answer in the visitor\'s language', async () => {
    const receipt = await shortCode(service, signer('codes'));
    const wrong = receipt.code.slice(0, -1) + (receipt.code.endsWith('A') ? 'B' : 'A');
    const cases = [['', 422], ['   ', 422], ['hello', 422], ['12', 422], ['1-2-3', 422], ['0', 422], ['-1-AAAA-AAAA', 422],
        ['00001-AAAA-AAAA', 422], ['99999999999999999999-AAAA-AAAA', 422], [`${receipt.code}U`, 422], ['<script>', 422],
        ['c2sp.org/tlog-proof@v1', 422], ['c2sp.org/tlog-proof@v2\nindex 1\n\nx', 422],
        [wrong, 404], ['0-AAAA-AAAA', 404], ['9007199254740992-AAAA-AAAA', 404], ['999999-AAAA-AAAA', 404]];
    for (const lang of LANGS) {
        const texts = new Map();
        for (const [typed, status] of cases) {
            const answer = await ask(typed, lang);
            assert.equal(answer.status, status, typed);
            assert.match(answer.text, new RegExp(`<html[^>]* lang="${lang}"`));
            assert.match(answer.text, /aria-invalid="true"/);
            assert.ok(!answer.text.includes('<script>'));
            texts.set(typed, words(answer.text));
        }
    }
    for (const body of ['receipt=%ff', 'receipt=%00', '%zz'])
        assert.ok([400, 422].includes((await service.form('/km/receipt', body)).status), body);
    const twice = await service.form('/en/receipt', `receipt=${receipt.code}&receipt=${receipt.code}`);
    assert.equal(twice.status, 422);
});

/** A receipt of a log of our own making: `key` signs, `origin` names it. */
function forge({ origin, key, keyId, entry, index = 0, size = 1, path = [], root }) {
    const text = `${origin}\n${size}\n${(root ?? leafHash(entry)).toString('base64')}\n`;
    const signature = Buffer.concat([keyId, signBytes(null, Buffer.from(text), key)]).toString('base64');
    return ['c2sp.org/tlog-proof@v1', `extra ${entry.toString('base64')}`, `index ${index}`,
        ...path.map((hash) => hash.toString('base64')), '', `${text}\n— ${origin} ${signature}\n`].join('\n');
}

/** The log's own key, out of DIR/log.key: what an operator who shows two logs would use. */
function ownKey() {
    const [, , , id, ...rest] = readFileSync(service.file('log.key'), 'utf8').trim().split('+');
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes(rest.join('+')).subarray(1)]);
    return { keyId: Buffer.from(id, 'hex'), key: { key: pkcs8, format: 'der', type: 'pkcs8' } };
}

test('receipts of another petition, of a forger, and of a fork of this log are told apart', async () => {
    const { proof } = await download(service, await signByForm(service, signer('fork')));
    const p = parseProof(proof.text);
    const own = ownKey();
    const stranger = { keyId: own.keyId, key: generateKeyPairSync('ed25519').privateKey };
    const [{ body }] = await query(service.dir, 'SELECT CAST(body AS TEXT) AS body FROM log_entry WHERE idx = 0');
    const other = Buffer.from(p.entry.toString().replace(/"w":"./, '"w":"A'));
    const leaf = Buffer.from(body);
    const cases = [
        [{ ...own, origin: 'elsewhere.example/log', entry: p.entry }, /from another log/],
        [{ ...stranger, origin: p.origin, entry: leaf }, /is not signed with the key/],
        [{ ...own, keyId: Buffer.alloc(4, 9), origin: p.origin, entry: leaf }, /is not signed with the key/],
        [{ ...own, origin: p.origin, entry: p.entry, root: sha256('x') }, /contradicts itself/],
        [{ ...own, origin: p.origin, entry: other }, /does not fit the log that this server shows/],
        [{ ...own, origin: p.origin, entry: p.entry, size: 2, index: 1, path: [sha256('y')],
            root: nodeHash(sha256('y'), leafHash(p.entry)) }, /does not fit the log that this server shows/],
        [{ ...own, origin: p.origin, entry: p.entry, size: 2 ** 50, index: 2 ** 50 - 1, path: [sha256('z')],
            root: nodeHash(sha256('z'), leafHash(p.entry)) }, /contradicts itself|does not fit/],
    ];
    for (const [what, says] of cases) {
        const answer = await ask(forge(what));
        assert.equal(answer.status, 422);
        assert.match(words(answer.text), says);
    }
    for (const lang of ['fr', 'km'])
        for (const [what] of cases)
            assert.equal((await ask(forge(what), lang)).status, 422);
    // The control: with the true root the same forging gives a receipt of entry 0, which is no signature.
    const first = { ...own, origin: p.origin, entry: leaf };
    assert.equal((await ask(forge(first))).status, 404);
});

test('no altered receipt is taken for genuine: 300 mutations', async () => {
    const { proof } = await download(service, await signByForm(service, signer('mutations')));
    const whole = Buffer.from(proof.text);
    const judge = async (mutated) => (await ask(mutated)).status;
    for (let i = 0; i < 150; i++) {
        const flipped = Buffer.from(whole);
        flipped[Math.floor(i * (whole.length - 1) / 150)] ^= 1 << (i % 7);
        const body = `receipt=${[...flipped].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`;
        const answer = await service.form('/en/receipt', body);
        // White space that people add or lose is no change.
        const same = flipped.toString().replaceAll('\r', '').trim() === proof.text.trim();
        assert.ok(same || answer.status >= 400, `byte ${i}: ${answer.status}`);
        const cut = whole.subarray(0, Math.floor(i * (whole.length - 2) / 150)).toString();
        assert.notEqual(await judge(cut), 200, `cut at ${cut.length}`);
    }
});

test('10 MB and 9 KB are answered 413, in the visitor\'s language, and the server goes on', async () => {
    for (const lang of LANGS) {
        const small = await service.form(`/${lang}/receipt`, `receipt=${'A'.repeat(9000)}`);
        assert.equal(small.status, 413);
        assert.match(small.text, new RegExp(`<html[^>]* lang="${lang}"`));
    }
    const head = 'POST /km/receipt HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10485760\r\n\r\n';
    const answer = await service.raw(head + 'receipt='.padEnd(60_000, 'A'));
    assert.equal(answer.status, 413);
    assert.match(answer.text, /lang="km"/);
    assert.equal((await service.get('/healthz')).status, 200);
});

test('another site\'s form is refused', async () => {
    for (const target of ['/en/receipt', '/en/receipt/save']) {
        const answer = await service.form(target, { receipt: 'x' }, { origin: 'https://evil.example' });
        assert.equal(answer.status, 403);
    }
});

test('nothing that was asked is in the server\'s log or files', async () => {
    const receipt = await shortCode(service, signer('kept'));
    await ask(receipt.code);
    await ask('ZEBEDEE-MARKER');
    assert.ok(!service.stderr.includes(receipt.code) && !service.stderr.includes('ZEBEDEE'));
    for (const name of ['petition.db', 'petition.db-wal'])
        assert.ok(!readFileSync(service.file(name)).includes('ZEBEDEE'));
});

test('before the first delivery it is said to be in none', async () => {
    const receipt = await shortCode(service, signer('undelivered'));
    assert.match(words((await ask(receipt.code)).text), /in none so far/);
});

test('a receipt says in which deliveries its signature was: those frozen after it came and before it went', async () => {
    const receipts = {};
    const sign = async (...names) => {
        for (const name of names)
            receipts[name] = await service.sign(signer(`delivered-${name}`));
    };
    const deliver = () => service.succeed(['deliver', '--out', scratch()]);
    await sign('stays', 'goes', 'removed', 'gone');
    await service.withdraw(receipts.gone.withdraw);
    await deliver();
    await service.withdraw(receipts.goes.withdraw);
    await service.succeed(['void', String(receipts.removed.index), 'test']);
    await sign('comes');
    await deliver();
    await sign('late');
    // The entry of the second delivery, the withdrawals and the last signature.
    await service.published((await query(service.dir, 'SELECT COUNT(*) AS n FROM log_entry'))[0].n);
    const expected = { stays: [1, 2], goes: [1], removed: [1], gone: [], comes: [2], late: [] };
    const texts = { en: [/delivery no\. (\d+)/g, 'in none so far'], fr: [/remise n° (\d+)/g, 'dans aucune'], km: [/ការប្រគល់ជូនលើកទី (\d+)/g, 'មិនទាន់មាន'] };
    for (const [name, deliveries] of Object.entries(expected))
        for (const [lang, [pattern, none]] of Object.entries(texts)) {
            const answer = await ask(receipts[name].code, lang);
            assert.equal(answer.status, 200, name);
            const page = words(answer.text);
            assert.deepEqual([...page.matchAll(pattern)].map(([, n]) => Number(n)), deliveries, `${name} ${lang}`);
            assert.equal(page.includes(none), deliveries.length === 0, `${name} ${lang}`);
        }
});
