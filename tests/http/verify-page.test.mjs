// The journey of an auditor: the commands of /verify, taken from the page and typed into a shell,
// lead from the public site alone to the number of valid entries, to a receipt, and to a delivery; and
// they notice what was forged. Nothing but the page and the site is used, but for preparing.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, bin, environment, freePort, parallel, query, run, scratch, signer, succeed, until } from './harness.mjs';

const SIGNERS = 320; // entries in more than one bundle
const LANGS = ['en', 'fr', 'km'];

let service;
let home; // where the auditor works
let blocks; // the commands, in the order of the page
before(async () => {
    const port = await freePort();
    service = new Service(path.join(scratch(), 'data'), { base_url: `http://127.0.0.1:${port}` });
    service.port = port;
    await succeed(['init', '--demo', '--data', service.dir]);
    await service.start();
    home = scratch();
    await prepare();
    blocks = commands((await service.get('/en/verify')).text);
});
after(() => service?.close());

const unescape = (html) => html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"')
    .replaceAll('&#39;', '\'').replaceAll('&amp;', '&');
const commands = (html) => [...html.matchAll(/<pre><code>([^]*?)<\/code><\/pre>/g)].map((match) => unescape(match[1]));
const hidden = (html, name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1];

const expected = { sign: 0, wd: 0, void: 0 };

/** Signatures, repeats, withdrawals, removals; a receipt and a bundle in the auditor's folder. */
async function prepare() {
    const receipts = await parallel(SIGNERS, 16, (n) => service.sign(signer(n % 300)));
    expected.sign = SIGNERS;
    for (const receipt of receipts.slice(0, 3))
        assert.equal((await service.withdraw(receipt.withdraw)).status, 200);
    expected.wd = 3;
    for (const [i, why] of ['request', 'fraud'].entries())
        await service.succeed(['void', String(receipts[5 + i].index), why]);
    expected.void = 2;
    const { headers: { location } } = await service.form('/km/sign',
        { name: 'សុខ "សាន"', contact: 'auditor@example.org', country: 'KH', visibility: 'addressees' });
    expected.sign++;
    const page = await until(async () => {
        const answer = await service.get(location);
        return hidden(answer.text, 'ticket') && answer;
    }, 'the entry is published');
    for (const [file, name] of [['proof', 'petition-receipt.tlog-proof'], ['opening', 'petition-receipt.opening.json']]) {
        const answer = await service.form('/km/receipt/save', { ticket: hidden(page.text, 'ticket'), file });
        writeFileSync(path.join(home, name), answer.body);
    }
    // The log has grown since the receipt.
    await parallel(5, 5, (n) => service.sign(signer(1000 + n)));
    expected.sign += 5;
    const out = path.join(scratch(), 'bundles');
    await service.organiser();
    await service.succeed(['deliver', '--out', out]);
    copyFileSync(path.join(out, readdirSync(out).sort()[0]), path.join(home, 'bundle.zip'));
    const [{ n }] = await query(service.dir, 'SELECT max(idx) + 1 AS n FROM log_entry');
    await service.published(n);
}

/** Types them into one shell, which ends at the first failure: {status, stdout, stderr}. */
function type(folder, typed, shell = 'bash') {
    const env = { ...environment(), PATH: `${path.dirname(bin)}:${process.env.PATH}` };
    return run(shell, ['-e'], { cwd: folder, env, stdin: `${typed.join('\n')}\n` });
}

test('the commands are the same in every language, and ask this site', async () => {
    for (const lang of LANGS) {
        const page = await service.get(`/${lang}/verify`);
        assert.equal(page.status, 200);
        assert.match(page.text, new RegExp(`<html[^>]* lang="${lang}"`));
        assert.deepEqual(commands(page.text), blocks);
    }
    assert.equal(blocks.length, 10);
    assert.ok(blocks[0].startsWith(`site=${service.origin}\n`));
});

for (const shell of ['bash', 'dash']) {
    test(`from the site alone to the number of valid entries, a receipt and a delivery, in ${shell}`, async () => {
        const folder = path.join(home, shell);
        mkdirSync(folder);
        for (const name of ['petition-receipt.tlog-proof', 'petition-receipt.opening.json', 'bundle.zip'])
            copyFileSync(path.join(home, name), path.join(folder, name));
        const said = await type(folder, blocks, shell);
        assert.equal(said.status, 0, `${said.stdout}\n${said.stderr}`);
        assert.equal([...said.stdout.matchAll(/Signature Verified Successfully/g)].length, 3);
        // The count follows from the entries, and the repeats are what must be believed.
        const valid = Number(/valid entries[^:]*: (\d+)/.exec(said.stdout)[1]);
        assert.equal(valid, expected.sign - expected.wd - expected.void);
        assert.match(said.stdout, new RegExp(`'sign': ${expected.sign}`));
        const [totals] = await query(service.dir, 'SELECT live, signatures FROM totals');
        assert.equal(valid, totals.live);
        const { count } = await service.count();
        assert.equal(count, totals.signatures);
        assert.match(said.stdout, new RegExp(`^${count}$`, 'm'));
        assert.ok(count < valid, 'there are repeats');
        assert.match(said.stdout, /^the entry is in the log$/m);
        assert.match(said.stdout, /^checkpoint\.old fits: its \d+ entries are in the log, unchanged$/m);
        assert.match(said.stdout, /^delivery\/checkpoint fits: /m);
        assert.match(said.stdout, /"name":"សុខ \\"សាន\\"","country":"KH"/);
        for (const lang of LANGS)
            assert.match(said.stdout, new RegExp(`text\\.${lang}: OK`));
        assert.match(said.stdout + said.stderr, /Signature and comment signature verified/);
        assert.equal([...said.stdout.matchAll(/^OK$/gm)].length, 3, 'the program says so three times');
    });
}

/** The blocks, with a deed of the server's in between. */
async function betrayed(name, after_, deed) {
    const folder = path.join(home, name);
    mkdirSync(folder);
    for (const file of ['petition-receipt.tlog-proof', 'petition-receipt.opening.json', 'bundle.zip'])
        copyFileSync(path.join(home, file), path.join(folder, file));
    const typed = [...blocks];
    typed.splice(after_, 0, deed);
    return type(folder, typed);
}

test('what was forged is noticed by the step that is there for it', async () => {
    const cases = [
        ['size', 1, 'curl() { command curl "$@" | sed \'2s/.*/7/\'; }', /Verification Failure|Verified Failure/i],
        ['entry', 3, 'sed -i \'s/"t":"sign","c":"./"t":"sign","c":"A/\' entries; printf x >> entries', /not those of checkpoint|Error/],
        ['dropped', 3, 'head -c 20000 entries > e; mv e entries', /not those of checkpoint|Error/],
        ['rewritten', 3, 'python3 -c "d=open(\'entries\',\'rb\').read();i=d.rindex(b\'request\');open(\'entries\',\'wb\').write(d[:i]+b\'fraudes\'+d[i+7:])"', /not those of checkpoint/],
        ['index', 4, 'sed -i \'s/^index .*/index 2/\' ../petition-receipt.tlog-proof', /THE RECEIPT IS NOT GENUINE/],
        ['opening', 5, 'sed -i \'s/auditor@/somebody@/\' ../petition-receipt.opening.json', /IT DOES NOT BELONG TO THE ENTRY/],
        ['text', 7, 'printf x >> texts.sha256; sed -i 1s/^./0/ texts.sha256; sed -i 1s/^./1/ texts.sha256', /FAILED|WARNING/],
        ['program', 9, 'sed -i s/auditor@/somebody@/ ../petition-receipt.opening.json', /^petition: .*opening/m],
        ['bundle', 8, 'unzip() { command unzip "$@"; printf x >> README.txt; }', /FAILED/],
        ['log', 9, 'curl() { command curl "$@" | tac; }', /^petition: /m],
    ];
    for (const [name, at, deed, says] of cases) {
        const said = await betrayed(name, at, deed);
        assert.ok(said.status !== 0 || /NOT/.test(said.stdout), `${name}: ${said.stdout}`);
        assert.match(said.stdout + said.stderr, says, name);
    }
});

test('a withdrawal without the code, and the removal of what is not valid, break the rules', async () => {
    const folder = path.join(home, 'rules');
    mkdirSync(folder);
    const python = /cat > audit\.py <<'END'\n([^]*?)END\n/.exec(blocks[3])[1];
    writeFileSync(path.join(folder, 'audit.py'), python);
    writeFileSync(path.join(folder, 'checkpoint'), 'x\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n');
    const entry = (text) => {
        const body = Buffer.from(text);
        return Buffer.concat([Buffer.of(body.length >> 8, body.length & 255), body]);
    };
    const log = [...readFileSync(path.join(home, 'bash', 'petition-check', 'entries'))];
    const extra = { again: '{"v":1,"t":"void","i":1,"why":"test"}', unknown: '{"v":1,"t":"void","i":999999,"why":"test"}',
        code: `{"v":1,"t":"wd","i":${SIGNERS - 1},"s":"${Buffer.alloc(32).toString('base64')}"}` };
    const audit = async (bytes) => {
        writeFileSync(path.join(folder, 'entries'), bytes);
        return run('python3', ['audit.py'], { cwd: folder });
    };
    assert.equal((await audit(Buffer.from(log))).status, 0);
    const [gone] = await query(service.dir, 'SELECT idx FROM log_end LIMIT 1');
    extra.again = `{"v":1,"t":"void","i":${gone.idx},"why":"test"}`;
    for (const [name, text] of Object.entries(extra))
        assert.notEqual((await audit(Buffer.concat([Buffer.from(log), entry(text)]))).status, 0, name);
});
