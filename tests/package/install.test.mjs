// `make install`, from a clean clone and from what deploy/Dockerfile copies.

import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { assertInstalled, assertRuns, root, scratch, sh } from './installed.mjs';

test('make install from a clean clone, under a strict umask, gives a program that runs', async () => {
    const clone = path.join(scratch(), 'clone');
    const destination = path.join(scratch(), 'destination');
    sh('git', ['clone', '--quiet', '--no-hardlinks', root, clone]);
    sh('sh', ['-c', 'umask 077; make -j2 install DESTDIR="$0"', destination], clone);
    assertInstalled(destination, '/usr/local');

    const other = path.join(scratch(), 'other');
    sh('make', ['install', 'PREFIX=/opt/petition', `DESTDIR=${other}`], clone);
    assertInstalled(other, '/opt/petition'); // with its own prefix compiled in
    await assertRuns(destination, '/usr/local');
});

test('what deploy/Dockerfile copies is enough for the command with which it builds', () => {
    const source = scratch();
    const image = path.join(scratch(), 'image');
    const dockerfile = readFileSync(path.join(root, 'deploy/Dockerfile'), 'utf8');
    for (const [, words] of dockerfile.matchAll(/^COPY (?!--from)(.*)$/gm))
        for (const name of words.split(' ').slice(0, -1))
            cpSync(path.join(root, name), path.join(source, name), { recursive: true });
    const build = dockerfile.match(/^RUN (make .*)$/m)[1];
    assert.match(build, /DESTDIR=\/image$/);
    sh('sh', ['-c', build.replace('/image', image)], source);
    assertInstalled(image, '/usr');
});
