// The manual page, the completion, the README and the help say the same as the program's own tables
// of commands, options and settings.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';

import { Service, root, run, scratch, signer, succeed } from './harness.mjs';

const read = (name) => readFileSync(path.join(root, name), 'utf8');
const matches = (text, pattern) => [...text.matchAll(pattern)].map((found) => found[1]);
const sorted = (names) => [...new Set(names)].sort();

// ---- the program

/** What stands between the braces of the table that `head` begins, in whatever file it is. */
function table(head) {
    for (const name of readdirSync(path.join(root, 'server')).filter((file) => file.endsWith('.c'))) {
        const source = read(`server/${name}`);
        const at = source.indexOf(head);
        if (at >= 0)
            return source.slice(at + head.length, source.indexOf('\n};', at));
    }
    throw new Error(`no file of server/ has the table ${head}`);
}

const commands = matches(table('} commands[] = {'), /\{"([a-z]+)",/g);

/** {name, of: the commands that take it, or null for all} */
const options = [...table('options[OPTION__COUNT] = {').matchAll(/\{"(--[a-z-]+)",\s*(?:NULL|"\w+"),\s*(?:NULL|"([^"]*)"),/g)]
    .map(([, name, of]) => ({ name, of: of ? of.split(/[^a-z]+/) : null }));
const common = options.filter(({ of }) => !of).map(({ name }) => name);
const own = (command) => options.filter(({ of }) => of?.includes(command)).map(({ name }) => name);

let settings; // [key, default], in the program's order
let help;
before(async () => {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--data', dir]);
    settings = [...readFileSync(path.join(dir, 'petition.conf'), 'utf8').matchAll(/^#?([a-z_]+) = ?(.*)$/gm)]
        .map(([, key, value]) => [key, value]);
    help = await succeed(['help']);
    assert.ok(commands.length > 5 && options.length > 5 && settings.length > 10, 'the tables were found');
});

// ---- the manual page

const manual = read('deploy/petition.1').replaceAll('\\-', '-');

function section(name) {
    const at = manual.indexOf(`\n.Sh ${name}\n`);
    assert.ok(at >= 0, `petition.1 has no section ${name}`);
    return manual.slice(at + 1, manual.indexOf('\n.Sh ', at + 1));
}

test('the manual page has every command, in its synopsis and with a description, and no other', () => {
    assert.deepEqual(sorted(matches(section('SYNOPSIS'), /^\.Nm\n\.Cm ([a-z]+)/gm)), sorted(commands));
    assert.deepEqual(sorted(matches(section('COMMANDS'), /^\.It Cm ([a-z]+)/gm)), sorted(commands));
});

/** The options that a piece of the page's source marks up: `Fl \-demo` is --demo. */
const flags = (text) => sorted(matches(text, /\bFl -([a-z-]+)/g).map((name) => `--${name}`));

test('the manual page has every option, with the command that takes it, and no other', () => {
    const items = (text) => flags(matches(text, /^\.It (Fl .*)$/gm).join('\n'));
    assert.deepEqual(items(section('OPTIONS')), sorted(common));
    assert.deepEqual(flags(section('SYNOPSIS')), sorted(commands.flatMap(own)));
    const described = new Set();
    for (const part of section('COMMANDS').split(/^\.It Cm /m).slice(1)) {
        const command = part.match(/^[a-z]+/)[0];
        assert.deepEqual(flags(part.slice(0, part.indexOf('\n'))), sorted(own(command)), command);
        for (const flag of items(part))
            described.add(flag);
    }
    assert.deepEqual([...described].sort(), sorted(commands.flatMap(own)));
});

test('the manual page has every setting with its default, in the program\'s order', () => {
    const entries = [...section('CONFIGURATION').matchAll(/^\.It Ic ([a-z_]+) No = ?(.*)$/gm)].map(([, key, value]) => [key, value]);
    assert.deepEqual(entries, settings);
});

test('the manual page names every file of a data directory', async () => {
    const service = await Service.create();
    try {
        await service.sign(signer(1));
        await service.succeed(['deliver', '--out', scratch()]);
        const files = section('FILES');
        for (const name of readdirSync(service.dir))
            assert.match(files, new RegExp(`[ /]${name.replaceAll('.', '\\.')}[ /\n]`), name);
    } finally {
        await service.close();
    }
});

// ---- help

test('the help has every command and option, and no other', () => {
    assert.deepEqual(sorted(matches(help, /^ {2}petition ([a-z]+)/gm)), sorted(commands));
    const unnamed = ['--help', '--version']; // they are what brought the reader here
    assert.deepEqual(sorted([...matches(help, /(--[a-z-]+)/g), ...unnamed]), sorted(options.map(({ name }) => name)));
});

// ---- README

const readme = read('README.md');

test('README has every setting once, with its default', () => {
    const configuration = readme.slice(readme.indexOf('\n### Configuration\n'), readme.indexOf('\n## Security model'));
    const rows = [...configuration.matchAll(/^\| (`[a-z_`, ]+`) \| (.*?) ?\|/gm)]
        .flatMap(([, keys, value]) => matches(keys, /`([a-z_]+)`/g).map((key) => [key, value.replaceAll('`', '')]));
    const defaults = Object.fromEntries(settings);
    for (const [key, value] of rows)
        assert.equal(value, defaults[key], `the default of ${key}`);
    const without = configuration.match(/^Accepted and without effect in this version:.*$/m)?.[0] ?? '';
    const keys = [...rows.map(([key]) => key), ...matches(without, /`([a-z_]{4,})`/g).filter((key) => key !== defaults.confirmation)];
    assert.deepEqual(keys.sort(), settings.map(([key]) => key).sort());
});

test('README and the manual page agree on which settings do nothing yet', () => {
    const inReadme = matches(readme.match(/^Accepted and without effect in this version:.*$/m)?.[0] ?? '', /`([a-z_]+)`/g);
    const idle = matches(manual, /^\.It Ic ([a-z_]+) No =.*\nAccepted, without effect in this version\.$/gm);
    const limited = matches(manual, /^\.It Ic ([a-z_]+) No =.*\nOnly\n/gm);
    assert.deepEqual(sorted([...idle, ...limited]), sorted(inReadme.filter((name) => settings.some(([key]) => key === name))));
});

test('README names no command that the program has not', () => {
    const code = [...matches(readme, /`([^`\n]+)`/g), ...matches(readme, /^ {4}(.*)$/gm)];
    const named = code.flatMap((text) => matches(text, /(?:^|[ /;])petition ([a-z]+)/g));
    assert.ok(named.length > 5);
    assert.deepEqual(named.filter((name) => !commands.includes(name)), []);
});

// ---- completion

/** What deploy/completion.bash offers at the end of a line. */
async function complete(line) {
    const result = await run('bash', [path.join(root, 'tests/http/complete.bash'), line]);
    assert.equal(result.stderr, '', line);
    return result.stdout.split('\n').filter(Boolean);
}

test('the completion offers every command and option, and no other', async () => {
    assert.deepEqual(sorted(await complete('petition ')), sorted(commands));
    assert.deepEqual(sorted(await complete('petition --')), sorted(common));
    for (const command of commands)
        assert.deepEqual(sorted(await complete(`petition ${command} --`)), sorted([...common, ...own(command)]), command);
});

test('the completion knows what an option or an argument is', async () => {
    assert.deepEqual(await complete('petition wi'), ['withdraw']);
    assert.deepEqual(await complete('petition --data /tmp organiser '), ['add', 'passwd'], 'a value is no command');
    assert.deepEqual(await complete('petition --data=/tmp organiser p'), ['passwd']);
    assert.deepEqual(await complete('petition organiser add '), [], 'a name is for the user to find');
    assert.deepEqual(await complete('petition serve --data depl'), ['deploy']);
    assert.deepEqual(await complete('petition serve --data README'), [], 'a folder, no file');
    assert.deepEqual(await complete('petition open --key=READ'), ['README.md']);
    assert.deepEqual(await complete('petition open --key READ'), ['README.md']);
    assert.deepEqual(await complete('petition open READ'), ['README.md']);
    assert.deepEqual(await complete('petition init --origin '), []);
    assert.deepEqual(await complete('petition serve --listen 127'), ['127.0.0.1:8080']);
    assert.deepEqual(await complete('petition serve --listen 127.0.0.1:'), ['8080'], 'readline keeps what is before the colon');
    assert.deepEqual(await complete('petition serve --listen=un'), ['unix:']);
    assert.deepEqual(await complete('petition serve --listen unix:READ'), ['README.md']);
});
