// The Debian package that `make deb` has made: what is in it, and that it runs from where it is unpacked.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';

import { assertInstalled, assertRuns, filesOf, root, scratch, sh } from './installed.mjs';

const folder = path.join(root, process.env.BUILD ?? 'build', 'deb');
const tree = scratch();
const control = scratch();
const read = (name) => readFileSync(path.join(root, name), 'utf8');
let deb;

before(() => {
    deb = existsSync(folder) && readdirSync(folder).find((name) => /^petition_.*\.deb$/.test(name));
    assert.ok(deb, `no package in ${folder}: run make deb`);
    sh('dpkg-deb', ['-x', path.join(folder, deb), tree]);
    sh('dpkg-deb', ['-e', path.join(folder, deb), control]);
});

test('its version is the program\'s', () => {
    const version = read('Makefile').match(/^VERSION = (.*)$/m)[1];
    assert.equal(deb, `petition_${version}_${sh('dpkg', ['--print-architecture']).trim()}.deb`);
    assert.equal(sh(path.join(tree, 'usr/bin/petition'), ['version']), `petition ${version}\n`);
});

test('it holds program, content, manual page and completion, all root\'s, and nothing in /etc or /var', () => {
    assertInstalled(tree, '/usr');
    const outside = filesOf(tree).filter((name) => !/^usr\/(bin|share)\/|^lib\/systemd\/system\/|^usr\/lib\/sysusers\.d\//.test(name));
    assert.deepEqual(outside, []);
    for (const line of sh('dpkg-deb', ['-c', path.join(folder, deb)]).trim().split('\n'))
        assert.match(line, /^[-d]rw.r-.r-. root\/root /);
});

test('it holds the examples and units that there are in deploy/', () => {
    const names = filesOf(tree);
    const here = (name) => existsSync(path.join(root, 'deploy', name));
    for (const name of ['nginx.conf', 'Caddyfile', 'Dockerfile', 'compose.yaml'].filter(here))
        assert.ok(names.some((file) => file.startsWith(`usr/share/doc/petition/examples/${name}`)), name);
    for (const name of ['petition.service', 'petition.socket'].filter(here))
        assert.deepEqual(names.filter((file) => file.endsWith(`/${name}`)), [`lib/systemd/system/${name}`]);
    assert.equal(names.includes('usr/lib/sysusers.d/petition.conf'), here('petition.sysusers'));
});

test('it has no conffiles, and its scripts enable nothing anew and touch no data', () => {
    assert.ok(!existsSync(path.join(control, 'conffiles')));
    for (const script of ['preinst', 'postinst', 'prerm', 'postrm'].filter((name) => existsSync(path.join(control, name)))) {
        const text = readFileSync(path.join(control, script), 'utf8');
        // debhelper's way: only what was enabled before is, and deb-systemd-invoke starts nothing that is not.
        const times = (words) => text.split(words).length - 1;
        assert.equal(times('deb-systemd-helper enable '), times('deb-systemd-helper debian-installed '), script);
        assert.doesNotMatch(text, /systemctl .*(enable|start)/, script);
        assert.doesNotMatch(text, /\/var\/lib|\/etc\/petition|petition init/, `${script} touches no data`);
    }
});

test('it depends on the libraries that the image of deploy/Dockerfile has', () => {
    const depends = sh('dpkg-deb', ['-f', path.join(folder, deb), 'Depends']).split(/,\s*/)
        .map((one) => one.match(/^[^ (]+/)[0]).filter((name) => name !== 'libc6' && name !== 'systemd');
    const listed = read('deploy/Dockerfile').match(/--no-install-recommends([^&]*)&&/)[1].split(/[\s\\]+/).filter(Boolean);
    assert.deepEqual(depends.sort(), listed.sort());
});

/** What mandoc's linter and groff say about a page (not whether other pages are installed). */
function complaints(page) {
    const said = (program, args) => spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    const linted = said('mandoc', ['-Tlint', '-Wall', page]);
    const rendered = said('man', ['--warnings=w', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page]);
    assert.match(rendered.stdout, /petition/);
    return `${linted.stdout}${linted.stderr}${rendered.stderr}`.split('\n').filter((line) => line && !line.includes('mandoc.db'));
}

test('mandoc and groff find nothing to say about the manual page, but something about a broken one', () => {
    const page = path.join(root, 'deploy/petition.1');
    assert.deepEqual(complaints(page), []);
    const broken = path.join(scratch(), 'petition.1');
    writeFileSync(broken, readFileSync(page, 'utf8').replace('.Sh OPTIONS', '.Xy OPTIONS'));
    assert.ok(complaints(broken).length > 1);
});

test('the unpacked program serves the unpacked content', () => assertRuns(tree, '/usr'));
