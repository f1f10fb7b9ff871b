// Closing the petition: what it answers and shows afterwards, that no contact can be tested any more,
// what still works, and that it can be killed at any moment.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, copyFileSync, cpSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { Desk } from './desk.mjs';
import { Service, bin, environment, load, parallel, petition, query, root, run, scratch, signer, sleep, succeed, until, withService } from './harness.mjs';

const ORIGIN = 'petition.invalid/log';
const PASSWORD = 'a long enough password';
const titles = {
    en: 'The petition is closed',
    fr: 'La pétition est close',
    km: 'ញត្តិនេះបានបិទហើយ',
};

const close = (service) => service.succeed(['close', '--yes']);
const closeEntry = async (folder) =>
    (await query(folder, `SELECT idx, CAST(body AS TEXT) AS body FROM log_entry WHERE CAST(body AS TEXT) LIKE '%"t":"close"%'`))[0];
const isClosed = async (service) => (await service.get('/api/v1/petition')).json.state === 'closed';
const shownClosed = (service) => until(() => isClosed(service), 'the state is shown as closed', 3000, 10);

/** Every file of a folder, with its bytes. */
function* files(folder) {
    for (const name of readdirSync(folder)) {
        const file = path.join(folder, name);
        const stat = statSync(file);
        if (stat.isDirectory())
            yield* files(file);
        else if (stat.isFile())
            yield { file, bytes: readFileSync(file) };
    }
}
const filesWith = (folder, needle) => [...files(folder)].filter(({ bytes }) => bytes.includes(needle)).map(({ file }) => file);

// ---- what closing asks for

test('without --yes or the origin nothing is closed: exit 2, with and without a server', async () => {
    await withService({}, async (service) => {
        for (const running of [true, false]) {
            if (!running)
                await service.stop();
            const none = await service.cli(['close']);
            assert.equal(none.status, 2, none.stderr);
            assert.match(none.stderr, /^petition: nothing was closed: [^\n]*--yes[^\n]*\n$/);
            for (const line of ['\n', 'yes\n', `${ORIGIN} \n`]) {
                const wrong = await service.cli(['close'], { stdin: line });
                assert.equal(wrong.status, 2, wrong.stderr);
                assert.match(wrong.stderr, /^petition: that is not the origin of this log: nothing was closed\n$/);
            }
            assert.equal((await service.cli(['close', 'now'])).status, 2);
            assert.equal(await closeEntry(service.dir), undefined);
            assert.ok(existsSync(service.file('pepper.key')));
        }
    });
});

test('at a terminal it says what it does, and the typed origin closes', async () => {
    await withService({}, async (service) => {
        const command = `${bin} close --data ${service.dir}`;
        const typed = (line) => run('script', ['-qefc', command, '/dev/null'], { stdin: line });
        const wrong = await typed('no\n');
        assert.equal(wrong.status, 2);
        assert.match(wrong.stdout, new RegExp(`closes the petition ${ORIGIN}, and cannot be undone`));
        assert.match(wrong.stdout, /pepper \(.*pepper\.key\) is destroyed/);
        assert.match(wrong.stdout, /Type the origin/);
        assert.equal(await closeEntry(service.dir), undefined);
        const right = await typed(`${ORIGIN}\n`);
        assert.equal(right.status, 0, right.stdout);
        assert.match(right.stdout, /closed by entry 1: 0 submissions, 0 withdrawn, 0 removed, 0 repeats/);
        assert.match(right.stdout, /Make a backup now/);
        const again = await typed(`${ORIGIN}\n`);
        assert.equal(again.status, 1);
        assert.match(again.stdout, /^petition: the petition is closed already, by entry 1 of its log\r?$/m);
        assert.ok(!/Type the origin/.test(again.stdout));
    });
});

// ---- the journey

test('a closed petition: the entry, the pages, the API, paper, withdrawals, removals, a restart', async () => {
    // Nothing is published by itself for ten minutes, so what shows was published by closing.
    const settings = { publish_min: 100000, publish_every: 3600 };
    await withService({ settings }, async (service) => {
        const seed = randomBytes(16).toString('base64');
        const once = await service.sign(signer('once', { seed }));
        const twice = [await service.sign(signer('twice')), await service.sign(signer('twice', { name: 'Another' }))];
        const gone = await service.sign(signer('gone'));
        const removed = await service.sign(signer('removed'));
        await service.withdraw(gone.withdraw);
        await service.succeed(['void', String(removed.index), 'test']);
        await service.succeed(['organiser', 'add', 'admin'], { stdin: `${PASSWORD}\n` });
        const desk = await Desk.login(service);

        const told = await close(service);
        assert.equal(told, 'closed by entry 8: 5 submissions, 1 withdrawn, 1 removed, 1 repeats\n');
        assert.deepEqual(await closeEntry(service.dir),
            { idx: 8, body: '{"v":1,"t":"close","sign":5,"wd":1,"void":1,"repeats":1}' });

        // Shown at once, with count and text; the form is gone.
        await shownClosed(service);
        assert.equal((await service.count()).count, 2);
        assert.equal((await service.count()).log_size, 9);
        for (const [lang, title] of Object.entries(titles)) {
            const page = await service.get(`/${lang}`);
            const posted = await service.form(`/${lang}/sign`, signer('late'));
            const invalid = await service.form(`/${lang}/sign`, { name: '' });
            assert.equal(page.status, 200);
            for (const shown of [page, posted, invalid]) {
                assert.ok(shown.text.includes(title), lang);
                assert.ok(!/<form[^>]*\/sign"/.test(shown.text), 'the form is gone');
                assert.match(shown.text, new RegExp(`<html[^>]* lang="${lang}"`));
            }
            assert.equal(posted.status, 410);
            assert.equal(invalid.status, 410);
            assert.match(page.text, /<article>/, 'the text is still there');
            assert.match(page.text, /class="count"><strong>2</, 'and the count');
        }
        for (const fields of [signer('late'), signer('once', { seed }), {}, { name: 1 }]) {
            const answer = await service.json('/api/v1/signatures', fields);
            assert.equal(answer.status, 410, answer.text);
            assert.equal(answer.type, 'application/problem+json');
            assert.equal(answer.json.status, 410);
            assert.match(answer.json.detail, /closed/);
        }
        assert.equal((await service.json('/api/v1/signatures', '{')).status, 400);

        // Paper.
        const sheet = path.join(scratch(), 'sheet.csv');
        writeFileSync(sheet, 'name,country\nSok,KH\n');
        const importing = async () => {
            const refused = await service.cli(['import', sheet]);
            assert.equal(refused.status, 1);
            assert.equal(refused.stderr, 'petition: the petition is closed; nothing was imported\n');
        };
        await importing();
        for (const address of ['/admin/paper/check', '/admin/paper']) {
            const refused = await desk.post(address, { csv: 'name,country\nSok,KH\n', label: '', after: '0' });
            assert.equal(refused.status, 409, refused.text);
            assert.match(refused.text, /The petition is closed: no signature can come in/);
        }

        // Once is enough.
        const again = await service.cli(['close', '--yes']);
        assert.equal(again.status, 1);
        assert.equal(again.stderr, 'petition: the petition is closed already, by entry 8 of its log\n');

        // The counts follow what still goes out, by groups.
        const exact = () => service.succeed(['check']).then((text) => /: (\d+) signatures, (\d+) live/.exec(text).slice(1).map(Number));
        assert.deepEqual(await exact(), [2, 3]);
        assert.equal((await service.withdraw(twice[0].withdraw)).status, 200);
        assert.deepEqual(await exact(), [2, 2]);
        await service.succeed(['void', String(once.index), 'request']);
        assert.deepEqual(await exact(), [1, 1]);

        // A restart, without a pepper; and everything is as it was.
        assert.ok(!existsSync(service.file('pepper.key')));
        await service.restart();
        assert.ok(await isClosed(service));
        assert.equal((await service.form('/fr/sign', signer('late'))).status, 410);
        assert.equal((await service.json('/api/v1/signatures', signer('once', { seed }))).status, 410);
        assert.equal((await service.withdraw(twice[1].withdraw)).status, 200);
        assert.deepEqual(await exact(), [0, 0]);
        await importing();
        await service.succeed(['deliver', '--out', scratch()]);
        const check = await service.succeed(['check']);
        assert.match(check, /^ok .* was closed by entry 8: no hash of a contact is left$/m);
        assert.match(check, /^ok .*pepper\.key is not there any more, as the petition is closed$/m);
        await service.stop();
        await importing();
        assert.equal((await service.cli(['close', '--yes'])).status, 1);
        assert.equal((await service.succeed(['export', '-'])), '');
    });
});

test('closed wins over paused', async () => {
    await withService({ settings: { petition_open: 'no' } }, async (service) => {
        assert.equal((await service.get('/api/v1/petition')).json.state, 'paused');
        assert.equal((await service.form('/en/sign', signer(1))).status, 403);
        await service.succeed(['organiser', 'add', 'admin'], { stdin: `${PASSWORD}\n` });
        const desk = await Desk.login(service);
        assert.match((await desk.get('/admin')).text, /Signing is paused \(petition_open = no\)/);
        await close(service);
        await shownClosed(service);
        const overview = (await desk.get('/admin')).text;
        assert.match(overview, /The petition is closed: nobody can sign any more\./);
        assert.ok(!overview.includes('paused'));
        assert.equal((await service.form('/en/sign', signer(1))).status, 410);
        assert.ok(!(await service.get('/en')).text.includes('paused'));
    });
});

// ---- nobody can be tested

test('afterwards neither a tag nor the pepper is in any file of the folder', async () => {
    for (const running of [true, false]) {
        await withService({}, async (service) => {
            const receipts = await parallel(1500, 16, (n) => service.sign(signer(n % 1400)));
            await parallel(500, 16, (n) => service.withdraw(receipts[n * 2].withdraw));
            await service.succeed(['backup', path.join(scratch(), 'backup')]);
            const tags = (await query(service.dir, 'SELECT hex(tag) AS t, count(*) AS n FROM submission WHERE tag NOT NULL GROUP BY tag'))
                .map(({ t, n }) => ({ tag: Buffer.from(t, 'hex'), n }));
            assert.ok(tags.length > 800 && tags.some(({ n }) => n > 1));
            const [, encoded] = readFileSync(service.file('pepper.key'), 'utf8').trim().split(' ');
            const secrets = [encoded, Buffer.from(encoded, 'base64')];
            if (!running)
                await service.stop();
            // The control: both are there before.
            for (const { tag } of tags.slice(0, 20))
                assert.ok(filesWith(service.dir, tag).length > 0);
            assert.equal(filesWith(service.dir, secrets[0]).length, 1);

            await close(service);
            const left = [...files(service.dir)];
            for (const { tag } of tags)
                for (const piece of [tag.subarray(0, 16), tag.subarray(16)])
                    assert.deepEqual(left.filter(({ bytes }) => bytes.includes(piece)), []);
            for (const secret of secrets)
                assert.deepEqual(filesWith(service.dir, secret), []);

            // Equal tags were given equal numbers: as many groups of each size.
            const sizes = (rows) => rows.map(({ n }) => n).sort();
            const groups = await query(service.dir, 'SELECT tag, count(*) AS n FROM submission WHERE tag NOT NULL GROUP BY tag');
            assert.deepEqual(sizes(groups), sizes(tags));
            const signers = await query(service.dir, 'SELECT live AS n FROM signer');
            assert.deepEqual(sizes(signers), sizes(tags));
            await service.succeed(['check']);
        });
    }
});

test('a pepper that comes back is destroyed at the next start, and a half destroyed one, too', async () => {
    await withService({}, async (service) => {
        await service.sign(signer(1));
        const copy = path.join(scratch(), 'pepper');
        copyFileSync(service.file('pepper.key'), copy);
        await close(service);
        for (const bytes of [readFileSync(copy), Buffer.alloc(64), Buffer.alloc(0)]) {
            await service.stop();
            writeFileSync(service.file('pepper.key'), bytes);
            const check = await service.cli(['check']);
            assert.equal(check.status, bytes.some((byte) => byte !== 0) ? 1 : 0);
            await service.start();
            assert.ok(!existsSync(service.file('pepper.key')));
        }
    });
});

test('a pepper_file goes, too; one that cannot be erased is named, then and at each start', async () => {
    const folder = scratch();
    const elsewhere = path.join(folder, 'pepper');
    await withService({}, async (service) => {
        await service.stop();
        copyFileSync(service.file('pepper.key'), elsewhere);
        service.settings.pepper_file = elsewhere;
        await service.start();
        assert.equal((await close(service)).split('\n').length, 2, 'one line');
        assert.ok(!existsSync(elsewhere) && !existsSync(service.file('pepper.key')));
        await service.restart();
        assert.ok(!/cannot be erased/.test(service.stderr));
    });
    await withService({}, async (service) => {
        const wrong = path.join(folder, 'wrong');
        writeFileSync(wrong, 'somebody else\'s\n');
        await service.stop();
        service.settings.pepper_file = wrong;
        const told = await close(service);
        assert.match(told, new RegExp(`^not erased: ${wrong} \\(it is no pepper, or cannot be read\\)$`, 'm'));
        await service.start();
        assert.match(service.stderr, new RegExp(`closed.*cannot be erased: ${wrong} `));
        assert.equal(readFileSync(wrong, 'utf8'), 'somebody else\'s\n');
        assert.match((await service.cli(['check'])).stdout, new RegExp(`^error .*${wrong} is still there`, 'm'));
    });
});

test('a pepper_file that belongs to somebody else is named, and the service starts without it', { skip: process.getuid() !== 0 && 'needs root' }, async () => {
    const nobody = 65534;
    const folder = scratch();
    const pepper = path.join(folder, 'pepper');
    const data = path.join(folder, 'data');
    const as = (args, settings) => run('setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', path.join(folder, 'petition'), ...args],
        { env: environment(settings), cwd: folder });
    copyFileSync(bin, path.join(folder, 'petition'));
    cpSync(path.join(root, 'public'), path.join(folder, 'public'), { recursive: true });
    await run('chmod', ['-R', 'a+rX', folder]);
    await succeed(['init', '--data', data]);
    copyFileSync(path.join(data, 'pepper.key'), pepper);
    await run('chmod', ['644', pepper]);
    await run('chown', ['-R', `${nobody}:${nobody}`, data]);
    chownSync(folder, 0, 0);
    const told = await as(['close', '--yes', '--data', data], { pepper_file: pepper });
    assert.equal(told.status, 0, told.stderr);
    assert.match(told.stdout, new RegExp(`^not erased: ${pepper} \\(Permission denied\\)$`, 'm'));
    assert.ok(existsSync(pepper));
    assert.ok(!existsSync(path.join(data, 'pepper.key')), 'the one beside it is gone');
    const other = await as(['void', '1', 'test', '--data', data], { pepper_file: pepper });
    assert.match(other.stderr, new RegExp(`cannot be erased: ${pepper} \\(Permission denied\\)`));
});

// ---- backups

test('a closed petition is backed up and restored without a pepper', async () => {
    await withService({}, async (service) => {
        const { withdraw } = await service.sign(signer(1));
        await close(service);
        const file = path.join(scratch(), 'backup');
        await service.succeed(['backup', file]);
        const target = path.join(scratch(), 'restored');
        const told = await petition(['restore', file, '--key', service.file('organiser.key'), '--data', target]);
        assert.equal(told.status, 0, told.stderr);
        assert.match(told.stderr, /closed: it needs no pepper/);
        assert.ok(!/Put the pepper back/.test(told.stderr));
        const restored = new Service(target);
        await restored.start();
        assert.ok(await isClosed(restored));
        assert.equal((await restored.withdraw(withdraw)).status, 200);
        await restored.close();
        assert.equal((await petition(['check', '--data', target])).status, 0);
    });
});

// ---- at any moment

test('signers who come while it closes are acknowledged before the entry, or told that it is closed', async () => {
    await withService({}, async (service) => {
        const signing = load(service, { width: 16 });
        await until(() => signing.acknowledged.length > 1000, 'signatures come in');
        await close(service);
        const closed = (await closeEntry(service.dir)).idx;
        const before = signing.acknowledged.length;
        await sleep(300);
        signing.stop();
        const { acknowledged, statuses } = await signing.done;
        assert.ok(acknowledged.length - before <= 16, 'only those whose answers were on the way');
        for (const { index } of acknowledged)
            assert.ok(index < closed);
        assert.deepEqual([...statuses].sort(), [202, 410]);
        const rows = await query(service.dir, 'SELECT count(*) AS n, max(idx) AS last FROM submission');
        assert.equal(rows[0].n, acknowledged.length);
        assert.equal(rows[0].last, closed - 1);
        const sum = await query(service.dir, 'SELECT live, signatures FROM totals');
        assert.deepEqual(sum, [{ live: rows[0].n, signatures: rows[0].n }]);
    });
});

test('killed at any moment it is open with its pepper, or closed and without one after the next start', async () => {
    const filled = await Service.create();
    const signing = load(filled, { width: 16, limit: 6000 });
    const { acknowledged } = await signing.done;
    await filled.close();
    const outcomes = { open: 0, closed: 0, pepper: 0 };
    const delays = [10, 10]; // of each way, moving around the moment of the commit
    for (let i = 0; i < 24; i++) {
        const service = new Service(filled.copy());
        const running = i % 2 === 1;
        if (running)
            await service.start();
        const child = spawn(bin, ['close', '--yes', '--data', service.dir],
            { cwd: root, env: environment(), stdio: ['ignore', 'pipe', 'ignore'] });
        const ended = new Promise((resolve) => {
            child.once('close', resolve);
        });
        await sleep(delays[i % 2]);
        if (running)
            await service.kill9();
        else
            child.kill('SIGKILL');
        await ended;
        const closed = await closeEntry(service.dir);
        const pepper = existsSync(service.file('pepper.key'));
        outcomes[closed ? 'closed' : 'open']++;
        delays[i % 2] *= closed ? 0.85 : 1.6;
        outcomes.pepper += Boolean(closed) && pepper;
try {
            assert.ok(closed || pepper, 'open means that the pepper is there');
            await service.start();
            assert.equal(await isClosed(service), Boolean(closed));
            assert.equal(existsSync(service.file('pepper.key')), !closed);
            const late = await service.json('/api/v1/signatures', signer('late'));
            assert.equal(late.status, closed ? 410 : 202, late.text);
            assert.equal((await service.withdraw(acknowledged[i].withdraw)).status, 200);
        } finally {
            await service.close();
        }
        await service.succeed(['check']);
    }
    assert.ok(outcomes.open > 0 && outcomes.closed > 0, JSON.stringify(outcomes));
});
