// deploy/Dockerfile and deploy/compose.yaml, as far as they can be proved without a container: linted,
// their parts held to each other and to the program, and their commands run on this machine.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { parse as parseYaml } from 'yaml';

import { Service, bin, petition, root, run } from './harness.mjs';

const read = (name) => readFileSync(path.join(root, name), 'utf8');
const text = read('deploy/Dockerfile');
const dockerfile = DockerfileParser.parse(text);
const instructions = dockerfile.getInstructions();
const runStage = instructions.slice(instructions.findLastIndex((one) => one.getKeyword() === 'FROM'));

/** The only instruction of this kind in the run stage. */
function only(keyword) {
    const found = runStage.filter((one) => one.getKeyword() === keyword);
    assert.equal(found.length, 1, keyword);
    return found[0];
}

const argument = (keyword) => only(keyword).getArgumentsContent();

/** The words of an instruction in its exec form. */
const exec = (keyword) => JSON.parse(argument(keyword).match(/\[.*\]$/)?.[0] ?? 'null');

const environment = Object.fromEntries(only('ENV').getProperties().map((one) => [one.getName(), one.getValue()]));

test('the linter finds nothing in the Dockerfile, and finds what is planted', () => {
    assert.deepEqual(validate(text).map((problem) => problem.message), []);
    for (const [from, to] of [['STOPSIGNAL', 'STOPSINGAL'], ['--interval', '--intervall'], ['EXPOSE 8080', 'EXPOSE web-port!']])
        assert.equal(validate(text.replace(from, to)).length, 1, to);
});

test('two stages of Debian 12; the second has no compiler, a user without rights, one volume and one port', () => {
    const stages = instructions.filter((one) => one.getKeyword() === 'FROM').map((one) => one.getArgumentsContent());
    assert.deepEqual(stages, ['debian:12-slim AS build', 'debian:12-slim']);
    assert.equal(argument('USER'), '65532:65532');
    assert.equal(argument('VOLUME'), '/data');
    assert.equal(argument('EXPOSE'), '8080');
    assert.equal(argument('STOPSIGNAL'), 'SIGTERM');
    assert.equal(only('COPY').getFromFlag().getValue(), 'build');
    const keywords = runStage.map((one) => one.getKeyword());
    assert.ok(keywords.lastIndexOf('RUN') < keywords.indexOf('USER'), 'what needs root comes before');
    const [install] = runStage.filter((one) => one.getKeyword() === 'RUN').map((one) => one.getArgumentsContent());
    assert.match(install, /apt-get install -y --no-install-recommends/);
    assert.match(install, /rm -rf \/var\/lib\/apt\/lists/);
    assert.match(install, new RegExp(`install -d -o 65532 -g 65532 -m 700 /data ${environment.RUNTIME_DIRECTORY}$`));
    assert.ok(instructions.every((one) => one.getKeyword() !== 'ADD'));
});

test('the run stage has exactly the packages of the libraries that the program is linked with', async () => {
    const headers = await run('objdump', ['-p', bin]);
    assert.equal(headers.status, 0, headers.stderr);
    const needed = new Set();
    for (const [, library] of headers.stdout.matchAll(/^\s+NEEDED\s+(\S+)$/gm)) {
        const found = await run('dpkg', ['-S', `*/${library}`]);
        const name = found.stdout.match(/^([a-z0-9.+-]+):/)?.[1];
        assert.ok(name, `the package of ${library}: ${found.stderr}`);
        if (!/^(libc6|lib[a-z]*san\d+|libgcc-s1|libstdc\+\+6)$/.test(name)) // the base image's, and sanitizers'
            needed.add(name);
    }
    const [install] = runStage.filter((one) => one.getKeyword() === 'RUN').map((one) => one.getArgumentsContent());
    const listed = install.match(/--no-install-recommends([^&]*)&&/)[1].split(/[\s\\]+/).filter(Boolean);
    assert.deepEqual(listed, [...needed].sort());
});

test('what the build copies is there, and is all that gets into its context', () => {
    const copied = instructions.filter((one) => one.getKeyword() === 'COPY' && !one.getFromFlag())
        .flatMap((one) => one.getArguments().slice(0, -1).map((source) => source.getValue()));
    for (const source of copied)
        assert.ok(existsSync(path.join(root, source)), source);
    const lines = read('deploy/Dockerfile.dockerignore').split('\n').filter((line) => line && !line.startsWith('#'));
    assert.equal(lines[0], '*');
    const folders = copied.filter((source) => !copied.includes(path.dirname(source)));
    assert.deepEqual(lines.slice(1).map((line) => line.replace(/^!/, '')).sort(), folders.sort());
});

test('its command serves, and its healthcheck sees it and its end', async () => {
    assert.deepEqual(exec('ENTRYPOINT'), ['petition']);
    assert.deepEqual(exec('CMD'), ['serve', '--data', '/data']);
    assert.equal(environment.PETITION_LISTEN, `0.0.0.0:${argument('EXPOSE')}`);
    const [program, ...check] = exec('HEALTHCHECK');
    assert.equal(program, 'petition');

    const service = await Service.create();
    const health = () => petition(check.map((word) => (word === '/data' ? service.dir : word)),
        { settings: { listen: environment.PETITION_LISTEN.replace('8080', service.port) } });
    assert.equal((await health()).status, 0);
    await service.close();
    assert.equal((await health()).status, 1);
});

test('compose: read-only but for the volume and memory, without rights, reached from this machine only', async () => {
    const yaml = read('deploy/compose.yaml');
    const { services: { petition: service }, volumes } = parseYaml(yaml);
    assert.equal(path.join('deploy', service.build.context, service.build.dockerfile), 'deploy/Dockerfile');
    assert.equal(service.read_only, true);
    assert.deepEqual(service.cap_drop, ['ALL']);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
    assert.ok(service.ports.every((port) => port.startsWith('127.0.0.1:')));
    assert.deepEqual(service.volumes, ['data:/data']);
    assert.ok('data' in volumes);
    const [folder, ...options] = service.tmpfs[0].split(':');
    assert.equal(folder, environment.RUNTIME_DIRECTORY);
    assert.match(options.join(':'), /uid=65532,gid=65532,mode=0700/);
    for (const [variable, value] of Object.entries(service.environment)) {
        const result = await petition(['healthcheck'], { settings: { [variable.replace('PETITION_', '')]: value, listen: '127.0.0.1:1' } });
        assert.equal(result.status, 1, result.stderr);
        assert.doesNotMatch(result.stderr, /unknown/);
    }

    const withPepper = parseYaml(yaml.replace(/^( *)# (?=PETITION_PEPPER|secrets:| +- pepper| +pepper:| +file:)/gm, '$1'));
    const secret = path.basename(withPepper.services.petition.environment.PETITION_PEPPER_FILE);
    assert.deepEqual(withPepper.services.petition.secrets, [secret]);
    assert.ok(withPepper.secrets[secret].file);
});
