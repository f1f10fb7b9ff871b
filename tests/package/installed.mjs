// What every way of installing must give, and a server that runs from there. The harness is told which
// program to test before it is loaded.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const folders = [];
process.on('exit', () => {
    for (const folder of folders)
        rmSync(folder, { recursive: true, force: true });
});

export function scratch() {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'petition-package-'));
    folders.push(folder);
    return folder;
}

// The settings of a make that runs these tests are not for the makes that they run.
const env = { ...process.env };
for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'BUILD', 'CC', 'CFLAGS', 'SANITIZE', 'CI', 'PREFIX', 'DESTDIR', 'PETITION_BIN'])
    delete env[name];

/** Runs a program to its end; its standard output. */
export const sh = (program, args, cwd = root) =>
    execFileSync(program, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 });

/** Every file below a folder, with the path from there. */
export const filesOf = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();

/** The program, its public content and its documentation are under DESTDIR/prefix, for everybody to read. */
export function assertInstalled(destination, prefix) {
    const at = (name) => path.join(destination, prefix, name);
    assert.ok(statSync(at('bin/petition')).mode & 0o111);
    assert.ok(readFileSync(at('bin/petition')).includes(`${prefix}/share/petition/public\0`), 'where it looks for its content');
    sh('diff', ['-r', 'public', at('share/petition/public')]);
    const rest = filesOf(at('share'));
    assert.ok(rest.some((name) => /^man\/man1\/petition\.1(\.gz)?$/.test(name)));
    for (const name of ['bash-completion/completions/petition', 'doc/petition/copyright'])
        assert.ok(rest.includes(name), name);
    for (const name of filesOf(destination))
        assert.equal(statSync(path.join(destination, name)).mode & 0o444, 0o444, name);
}

/** init, serve and sign with the installed program and content, in a folder where nothing else is. */
export async function assertRuns(destination, prefix) {
    const at = (name) => path.join(destination, prefix, name);
    const content = at('share/petition/public');
    const text = path.join(content, 'text/en.txt');
    writeFileSync(text, readFileSync(text, 'utf8').replace(/^/, 'This copy was installed. '));

    process.env.PETITION_BIN = at('bin/petition');
    const { Service, run, signer } = await import('../http/harness.mjs');
    const dir = path.join(scratch(), 'data');
    const made = await run(at('bin/petition'), ['init', '--demo', '--data', dir, '--public', content], { cwd: scratch() });
    assert.equal(made.status, 0, made.stderr);
    const service = new Service(dir, { public_dir: content });
    await service.start();
    try {
        await service.sign(signer(1));
        assert.match((await service.get('/en')).text, /This copy was installed\./);
    } finally {
        await service.close();
    }
}
