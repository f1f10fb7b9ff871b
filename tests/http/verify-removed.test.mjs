// `petition verify` and a delivery's list of what was withdrawn or removed since the one before: as
// the server makes it, it is the log's; any other is refused, even when the operator signs it.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Service, scratch, signer, until } from './harness.mjs';
import { Log, deliveryEntry, holds, keep, logOf, refused, remade, unzip, zip } from './mirrors.mjs';

const LIST = 'removed-since-last.csv';
let service;
const deliveries = []; // {file, logZip, bundles, size}
let removed; // the rows of the second list

async function deliver() {
    const out = scratch();
    await service.succeed(['deliver', '--out', out]);
    const files = readdirSync(out).filter((name) => name.endsWith('.zip')).sort().map((name) => path.join(out, name));
    const answer = await until(async () => {
        const got = await service.get(`/api/v1/deliveries/${deliveries.length + 1}/log.zip`);
        return got.status === 200 && got;
    }, 'log.zip is there');
    const bundles = files.map((file) => unzip(readFileSync(file)));
    deliveries.push({ file: files[7], logZip: keep('log.zip', answer.body), bundles, size: JSON.parse(bundles[7]['manifest.json']).log_size });
}

before(async () => {
    service = await Service.create();
    const receipts = [];
    for (let i = 0; i < 12; i++)
        receipts.push(await service.sign(signer(i)));
    const index = (i) => String(receipts[i].index);
    await service.withdraw(receipts[0].withdraw);
    await service.succeed(['void', index(1), 'test']);
    await deliver();
    await service.withdraw(receipts[9].withdraw);
    await service.succeed(['void', index(3), 'fraud']);
    await service.withdraw(receipts[2].withdraw);
    await service.succeed(['void', index(5), 'request']);
    removed = [`${index(9)},withdrawn`, `${index(3)},fraud`, `${index(2)},withdrawn`, `${index(5)},request`];
    await deliver();
    await service.withdraw(receipts[7].withdraw);
});
after(() => service?.close());

const text = (rows) => ['index,why', ...rows, ''].join('\r\n');

test('the lists that the server makes hold, with and without the log', async () => {
    assert.equal(deliveries[1].bundles[7][LIST].toString(), text(removed));
    for (const { file, logZip } of deliveries) {
        await holds(file, logZip);
        await holds(file);
    }
    await until(async () => {
        const whole = await logOf(service);
        return (await service.count()).log_size === whole.entries.length;
    }, 'what came behind the deliveries is published');
    await holds(deliveries[0].file, deliveries[1].file, (await logOf(service)).folder());
});

/** A bundle of a delivery with another list, and a log that names it: both signed. */
async function lying(n, change) {
    const { bundles, size } = deliveries[n - 1];
    const bundle = await remade(bundles[7], service.file('minisign.key'), change);
    const whole = await logOf(service);
    const log = new Log(whole.entries.slice(0, size), whole.key)
        .with(deliveryEntry(n, size, bundles.map((one, i) => (i === 7 ? bundle : one))));
    return { file: keep('lying.zip', zip(bundle)), logZip: log.zip() };
}
const listing = (list) => (others) => {
    others[LIST] = Buffer.from(list);
};

test('another list than the log\'s is refused with the log', async () => {
    const honest = await lying(2, listing(text(removed)));
    await holds(honest.file, honest.logZip); // the control
    const [a, b, c, d] = removed;
    const cases = {
        'an empty list': [text([]), /names 0 submissions, but the log has withdrawn or removed 4 since/],
        'the first row dropped': [text([b, c, d]), /names 3 submissions, but the log has withdrawn or removed 4/],
        'the last row dropped': [text([a, b, c]), /names 3 submissions/],
        'one that is live': [text([a, b, c, d, '11,withdrawn']), /row 5 names what the log has not/],
        'one in another\'s place': [text([a, '11,fraud', c, d]), /row 2 names what the log has not/],
        'one removed later': [text([a, b, c, d, '8,withdrawn']), /row 5 names what the log has not/],
        'no signature at all': [text(['0,fraud', b, c, d]), /row 1 names what the log has not/],
        'one of the delivery before': [text(['1,withdrawn', a, b, c, d]), /row 1 names what was withdrawn or removed before/],
        'a row twice': [text([a, b, b, c, d]), /row 3 is not in the log's order/],
        'another reason': [text([a, b, c.replace('withdrawn', 'test'), d]), /row 3 gives another reason/],
        'by index': [text([c, b, d, a]), /row 2 is not in the log's order/],
        'backwards': [text([d, c, b, a]), /row 2 is not in the log's order/],
    };
    for (const [what, [list, why]] of Object.entries(cases)) {
        assert.notEqual(list, text(removed), what);
        const { file, logZip } = await lying(2, listing(list));
        const line = await refused(file, logZip);
        assert.match(line, why, what);
        assert.match(line, /removed-since-last\.csv/, what);
    }
});

test('in the first delivery everything since the beginning is listed', async () => {
    const { file, logZip } = await lying(1, listing(text(['1,withdrawn'])));
    assert.match(await refused(file, logZip), /names 1 submissions, but the log has withdrawn or removed 2/);
});

test('what is no list, or more than the totals have, is refused without the log, too', async () => {
    const [a, b, c, d] = removed;
    const cases = {
        garbage: ['garbage', /missing, cut off or no such list/],
        'garbage in a line': ['garbage\r\n', /is not the header of the list/],
        nothing: ['', /missing, cut off or no such list/],
        'no header': [text(removed).slice('index,why\r\n'.length), /is not the header of the list/],
        'no CRLF': [text(removed).replaceAll('\r', ''), /is not the header of the list/],
        'one without CR': [`index,why\r\n${a}\n${b}\r\n`, /row 1 is not spelled as a row/],
        'cut off': [text(removed).slice(0, -1), /cut off/],
        'a reason that is none': [text([a, b.replace('fraud', 'spite'), c, d]), /row 2 is not spelled as a row/],
        'a zero in front': [text([a, `0${b}`, c, d]), /row 2 is not spelled as a row/],
        'beyond the log': [text([a, b, c, '99999,request']), /row 4 is not spelled as a row/],
        'a third cell': [text([`${a},`, b, c, d]), /row 1 is not spelled as a row/],
        'a long line': [`${text(removed)}${'9'.repeat(20_000)}\r\n`, /row 5 is longer than a row can be/],
        'more than the totals': [text([a, b, c, d, '11,fraud']), /names more than were withdrawn or removed/],
    };
    for (const [what, [list, why]] of Object.entries(cases)) {
        const { file } = await lying(2, listing(list));
        assert.match(await refused(file), why, what);
    }
    const without = await lying(2, (others) => delete others[LIST]);
    assert.match(await refused(without.file), /removed-since-last\.csv is missing, cut off or no such list/);
    assert.match(await refused(without.file, without.logZip), /removed-since-last\.csv is missing, cut off or no such list/);
});
