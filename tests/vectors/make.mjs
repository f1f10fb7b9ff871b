// Computes tests/vectors/vectors.json: the exact bytes of hashes, entries, codes, sealed records
// and minisign files, from their written definition alone. Nothing of the server and none of its
// libraries is used: SHA-256 is Node's, the rest is @noble. The unit tests in C compare every byte.
//
//   node tests/vectors/make.mjs > tests/vectors/vectors.json
//   node tests/vectors/make.mjs --check      exit 1 if the committed file differs
//
// Needs Node 20.19 and `npm ci` in this folder.

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {domainToASCII} from 'node:url';
import {blake2b} from '@noble/hashes/blake2.js';
import {ed25519, x25519} from '@noble/curves/ed25519.js';
import {hsalsa, xsalsa20poly1305} from '@noble/ciphers/salsa.js';

// ---------------------------------------------------------------- bytes

const bytes = (...parts) => Buffer.concat(parts.map((p) => Buffer.from(p)));
const hex = (b) => Buffer.from(b).toString('hex');
const base64 = (b) => Buffer.from(b).toString('base64');
const counting = (first, length) => Buffer.from(Array.from({length}, (_, i) => (first + i) & 0xff));
const filled = (value, length) => Buffer.alloc(length, value);
const sha256 = (...parts) => createHash('sha256').update(bytes(...parts)).digest();

function le32(n) {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(n);
  return b;
}

// A JSON string that escapes only \" and \\; the inputs hold no control character.
const quoted = (s) => '"' + s.replaceAll('\\', '\\\\').replaceAll('"', '\\"') + '"';

// ---------------------------------------------------------------- hashes

const tagOf = (pepper, kind, canonical) =>
  blake2b(bytes('petition-tag/v1\n', kind, canonical), {key: pepper, dkLen: 32});
const withdrawSecret = (seed) => sha256('petition-withdraw-seed/v1\n', seed);
const withdrawHash = (s) => sha256('petition-withdraw/v1\n', s);
const contactHash = (r2, canonical) => sha256('petition-contact/v1\n', r2, canonical);
const commitment = (g, r, ch, fields) => sha256('petition-sign/v1\n', g, r, ch, fields);
const leafHash = (entry) => sha256([0], entry);

// ---------------------------------------------------------------- entries

const dayText = (day) => new Date(day * 86400e3).toISOString().slice(0, 10);

const fieldsText = (f) =>
  `{"name":${quoted(f.name)},"country":"${f.country}","text":${f.text},` +
  `"day":"${dayText(f.day)}","visibility":"${f.visibility}"}`;

const textHashes = (t) => `"text":{"en":"${t.en}","fr":"${t.fr}","km":"${t.km}"}`;
const openEntry = (origin, text, addressees, sealKey) =>
  `{"v":1,"t":"open","origin":"${origin}","petition":"1",${textHashes(text)},` +
  `"addressees":"${addressees}","seal":"${base64(sealKey)}"}`;
const textEntry = (text, addressees) =>
  `{"v":1,"t":"text",${textHashes(text)},"addressees":"${addressees}"}`;
const signEntry = (c, w) => `{"v":1,"t":"sign","c":"${base64(c)}","w":"${base64(w)}"}`;
const withdrawalEntry = (index, s) => `{"v":1,"t":"wd","i":${index},"s":"${base64(s)}"}`;
const voidEntry = (index, why) => `{"v":1,"t":"void","i":${index},"why":"${why}"}`;

// ---------------------------------------------------------------- codes

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

// Digits of 5 bits, most significant first; missing bits at the end are zero.
function crockford(b) {
  let bits = BigInt('0x' + hex(b));
  const missing = (5 - ((b.length * 8) % 5)) % 5;
  bits <<= BigInt(missing);
  let out = '';
  for (let i = (b.length * 8 + missing) / 5; i > 0; i--) {
    out = ALPHABET[Number(bits & 31n)] + out;
    bits >>= 5n;
  }
  return out;
}

// https://en.wikipedia.org/wiki/Luhn_mod_N_algorithm, "Algorithm" (generation), N = 32.
function luhnCheck(digits) {
  let factor = 2;
  let sum = 0;
  for (let i = digits.length - 1; i >= 0; i--) {
    const addend = factor * ALPHABET.indexOf(digits[i]);
    factor = factor === 2 ? 1 : 2;
    sum += Math.floor(addend / 32) + (addend % 32);
  }
  return ALPHABET[(32 - (sum % 32)) % 32];
}

// The same page's validation, which runs from the check digit with factor 1.
function luhnValid(digits) {
  let factor = 1;
  let sum = 0;
  for (let i = digits.length - 1; i >= 0; i--) {
    const addend = factor * ALPHABET.indexOf(digits[i]);
    factor = factor === 2 ? 1 : 2;
    sum += Math.floor(addend / 32) + (addend % 32);
  }
  return sum % 32 === 0;
}

const codeDigits = (seed) => crockford(seed) + luhnCheck(crockford(seed));
const withdrawCode = (index, seed) => `${index}-${codeDigits(seed)}`;

function shortCode(index, leaf) {
  const digits = crockford(leaf.subarray(0, 5));
  return `${index}-${digits.slice(0, 4)}-${digits.slice(4)}`;
}

// ---------------------------------------------------------------- sealed records

const recordText = (f) =>
  `{"name":${quoted(f.name)},"contact":${quoted(f.typed)},"country":"${f.country}",` +
  `"visibility":"${f.visibility}","updates":${f.updates},"lang":"${f.lang}",` +
  `"day":"${dayText(f.day)}","text":${f.text},"r":"${base64(f.r)}","r2":"${base64(f.r2)}"}`;

// ISO/IEC 7816-4, as sodium_pad: 0x80, then zeros.
function pad(record) {
  const b = bytes(record);
  const size = b.length < 384 ? 384 : 1408;
  assert(b.length < size);
  return bytes(b, [0x80], filled(0, size - b.length - 1));
}

// NaCl's crypto_box_beforenm: HSalsa20 of the X25519 secret, with a nonce of 16 zero bytes.
function boxKey(secret, publicKey) {
  const words = (b) => {
    const padded = Uint8Array.from(b);
    return new Uint32Array(padded.buffer);
  };
  const out = new Uint32Array(8);
  hsalsa(words(bytes('expand 32-byte k')), words(x25519.getSharedSecret(secret, publicKey)),
         new Uint32Array(4), out);
  return new Uint8Array(out.buffer);
}

const sealNonce = (n) => bytes(le32(n), filled(0, 20));

function seal(record, n, ephemeralSecret, organisersPublic) {
  const box = xsalsa20poly1305(boxKey(ephemeralSecret, organisersPublic), sealNonce(n));
  return bytes(x25519.getPublicKey(ephemeralSecret), le32(n), box.encrypt(pad(record)));
}

function open(sealed, organisersSecret) {
  const key = boxKey(organisersSecret, sealed.subarray(0, 32));
  const n = sealed.readUInt32LE(32);
  const padded = Buffer.from(xsalsa20poly1305(key, sealNonce(n)).decrypt(sealed.subarray(36)));
  return padded.subarray(0, padded.lastIndexOf(0x80)).toString('utf8');
}

// ---------------------------------------------------------------- minisign

function minisign(seed, keyId, message, trustedComment) {
  const publicKey = ed25519.getPublicKey(seed);
  const secretKey = bytes(seed, publicKey);
  const checksum = blake2b(bytes('Ed', keyId, secretKey), {dkLen: 32});
  const signature = ed25519.sign(blake2b(message, {dkLen: 64}), seed);
  const global = ed25519.sign(bytes(signature, trustedComment), seed);
  return {
    secret_file: 'untrusted comment: minisign secret key of the petition\n' +
      base64(bytes('Ed', [0, 0], 'B2', filled(0, 48), keyId, secretKey, checksum)) + '\n',
    public: base64(bytes('Ed', keyId, publicKey)),
    message: message.toString('utf8'),
    trusted_comment: trustedComment,
    signature_file: 'untrusted comment: signature of the petition service\n' +
      base64(bytes('ED', keyId, signature)) + '\n' +
      `trusted comment: ${trustedComment}\n` + base64(global) + '\n',
  };
}

// ---------------------------------------------------------------- the vectors

// An example published with the design's research; its values are written here as found there.
function published() {
  const entry0 = '{"v":1,"t":"open","petition":"1","text_sha256":' +
    '"55a65d20438d4e5d7aa9bdb81d3d29cf088c7ffcfa41e6bbf7dfd0e7dd137d0b"}';
  const fields = '{"name":"Ann Müller","place":"Gdańsk","country":"PL","text":' +
    '"55a65d20438d4e5d7aa9bdb81d3d29cf088c7ffcfa41e6bbf7dfd0e7dd137d0b","date":"2026-11-22"}';
  const v = {
    entry0,
    g: '65e8850ce25809b4ad79c02724e3268fd15f3d5b4687b28a3bb96d175b28512a',
    r: hex(counting(0x00, 32)),
    r2: hex(counting(0x20, 32)),
    s: hex(counting(0x40, 32)),
    contact: 'ann@example.org',
    ch: '84bcb2b8bab23577acab48464b237d0a6c3afdf8bba192759ec8c0f71cca801c',
    fields,
    c: 'd32e4d90a7a351d66f7b3b0f9221b407e7ac65f8cdcf84e252ba88d6d61581da',
    w: 'ffbbe7079f139bf5082b668ae67ecf2b86bbac1e45920042467c44471ed8f7c5',
    entry: '{"v":1,"t":"sign","c":"0y5NkKejUdZvezsPkiG0B+esZfjNz4TiUrqI1tYVgdo=",' +
      '"w":"/7vnB58Tm/UIK2aK5n7PK4a7rB5FkgBCRnxERx7Y98U="}',
    leaf: 'b09101d0ca3aa43f99553232a374fe01186136ddb17473657a85083d2a424432',
    index: 1043,
    short_code: '1043-P28G-3M6A',
  };
  const un = (h) => Buffer.from(h, 'hex');
  assert.equal(hex(leafHash(v.entry0)), v.g);
  assert.equal(hex(contactHash(un(v.r2), v.contact)), v.ch);
  assert.equal(hex(commitment(un(v.g), un(v.r), un(v.ch), v.fields)), v.c);
  assert.equal(hex(withdrawHash(un(v.s))), v.w);
  assert.equal(signEntry(un(v.c), un(v.w)), v.entry);
  assert.equal(hex(leafHash(v.entry)), v.leaf);
  assert.equal(shortCode(v.index, un(v.leaf)), v.short_code);
  return v;
}

function email(typed) {
  const [local, domain] = typed.trim().normalize('NFKC').toLowerCase().split('@');
  return `${local}@${domainToASCII(domain)}`;
}

// Khmer and ASCII digits only; the trunk prefix of both countries used here is 0.
function phone(typed, calling) {
  const digits = typed.replace(/[០-៩]/g, (d) => String(d.codePointAt(0) - 0x17e0));
  const plain = digits.replace(/[^0-9+]/g, '');
  return plain.startsWith('+') ? plain : '+' + calling + plain.replace(/^0/, '');
}

function tags() {
  const contacts = [
    ['e', 'ann@example.org', 'FR', email('ann@example.org')],
    ['e', '  Ann@Example.ORG ', 'FR', email('  Ann@Example.ORG ')],
    ['e', 'ａｎｎ@ｅｘａｍｐｌｅ.org', 'FR', email('ａｎｎ@ｅｘａｍｐｌｅ.org')],
    ['e', 'សុខា@example.org', 'KH', email('សុខា@example.org')],
    ['e', 'sokha@ខ្មែរ.example', 'KH', email('sokha@ខ្មែរ.example')],
    ['e', 'Jürgen@Straße.example', 'DE', email('Jürgen@Straße.example')],
    ['p', '012 345 678', 'KH', phone('012 345 678', '855')],
    ['p', '០១២-៣៤៥-៦៧៨', 'KH', phone('០១២-៣៤៥-៦៧៨', '855')],
    ['p', '+855 12 345 678', 'FR', phone('+855 12 345 678', '33')],
    ['p', '06 12 34 56 78', 'FR', phone('06 12 34 56 78', '33')],
  ];
  const out = [];
  for (const pepper of [counting(0x80, 32), filled(0, 32), filled(0xff, 32)]) {
    for (const [kind, typed, country, canonical] of contacts) {
      const tag = tagOf(pepper, kind, canonical);
      out.push({pepper: hex(pepper), typed, country, kind, canonical, tag: hex(tag)});
    }
  }
  return out;
}

function days() {
  const times = [0, -1, 1, 86399, 86400, -86400, -86401, 951782399, 951782400, 951868800,
    1508716800, 1795305600, 2147483647, 2147483648, 4107542399, 4107542400, 13574649599,
    -2203891201, -2203891200, -62167219200, -11676096000, 253402300799];
  return times.map((unix) => {
    const day = Math.floor(unix / 86400);
    return {unix, day, text: dayText(day)};
  });
}

function fields() {
  const names = ['Ann Müller', 'សុខ ចាន់ដារ៉ា', 'Sok "Dara" O\'Neil', 'back\\slash \\" both',
    '<script>alert(1)</script>', '=1+1', 'a/b', '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🙂', 'é', '\u007f'];
  const visibilities = ['private', 'addressees', 'public'];
  return names.map((name, i) => {
    const f = {name, country: i % 2 ? 'KH' : 'FR', text: i === 9 ? 2 ** 53 : i * i * 100,
      day: 17462 + i * 31, visibility: visibilities[i % 3]};
    return {...f, json: fieldsText(f)};
  });
}

const ORGANISERS_SECRET = sha256('organisers of the vectors');
const ORGANISERS_PUBLIC = x25519.getPublicKey(ORGANISERS_SECRET);
const EPHEMERAL_SECRET = sha256('ephemeral key of the vectors');
const SECOND_EPHEMERAL_SECRET = sha256('second ephemeral key of the vectors');
const ORIGIN = 'petition.example.org/log';
const TEXT = {en: hex(sha256('We ask.\n')), fr: hex(sha256('Nous demandons.\n')),
  km: hex(sha256('យើងស្នើ\n'))};
const ADDRESSEES = hex(sha256('[]\n'));
const ENTRY0 = openEntry(ORIGIN, TEXT, ADDRESSEES, ORGANISERS_PUBLIC);
const G = leafHash(ENTRY0);

// Whole signatures: from what was typed to the entry, the codes and the sealed record.
function submissions() {
  const long = 'ខ'.repeat(200);
  const typed = [
    {name: 'Ann Müller', typed: 'ann@example.org', canonical: 'ann@example.org', country: 'FR',
      visibility: 'private', updates: false, lang: 'fr', day: 17462, text: 0, index: 1, n: 0},
    {name: 'សុខ "Dara" ចាន់', typed: '០១២ ៣៤៥ ៦៧៨', canonical: '+85512345678', country: 'KH',
      visibility: 'addressees', updates: true, lang: 'km', day: 20779, text: 0, index: 1043, n: 1},
    {name: long, typed: 'Sokha+x@gmail.com', canonical: 'sokha@gmail.com', country: 'US',
      visibility: 'public', updates: true, lang: 'en', day: 20780, text: 1042,
      index: 9007199254740992, n: 7},
    {name: 'back\\slash', typed: '"q\\"q"@example.org', canonical: '"q\\"q"@example.org',
      country: 'DE', visibility: 'public', updates: false, lang: 'en', day: 20780, text: 1042,
      index: 77, n: 8},
  ];
  return typed.map((t, i) => {
    const f = {...t, r: sha256(`r ${i}`), r2: sha256(`r2 ${i}`)};
    const seed = sha256(`seed ${i}`).subarray(0, 16);
    const s = withdrawSecret(seed);
    const w = withdrawHash(s);
    const ch = contactHash(f.r2, f.canonical);
    const json = fieldsText(f);
    const c = commitment(G, f.r, ch, json);
    const entry = signEntry(c, w);
    assert.equal(entry.length, 120);
    const leaf = leafHash(entry);
    const record = recordText(f);
    const sealed = seal(record, f.n, EPHEMERAL_SECRET, ORGANISERS_PUBLIC);
    assert.equal(open(sealed, ORGANISERS_SECRET), record);
    return {...f, r: hex(f.r), r2: hex(f.r2), seed: hex(seed), s: hex(s), w: hex(w), ch: hex(ch),
      fields: json, c: hex(c), opening: hex(bytes(f.r, ch)), entry, leaf: hex(leaf),
      short_code: shortCode(f.index, leaf), withdraw_code: withdrawCode(f.index, seed),
      withdrawal_entry: withdrawalEntry(f.index, s), record, sealed: hex(sealed)};
  });
}

// Records at the borders of the two padded lengths, sealed one after the other.
function borders() {
  return [0, 1, 382, 383, 384, 385, 1406, 1407].map((length, n) => {
    const sealed = seal('x'.repeat(length), n, SECOND_EPHEMERAL_SECRET, ORGANISERS_PUBLIC);
    assert.equal(open(sealed, ORGANISERS_SECRET).length, length);
    return {length, n, sealed: hex(sealed)};
  });
}

// Luhn mod 32 cannot tell 0Z from Z0, so the code used for mistakes has no such neighbours.
const MISTAKEN_SEED = sha256('mistaken').subarray(0, 16);

function mistakes() {
  const digits = codeDigits(MISTAKEN_SEED);
  const out = [];
  const refuse = (code, why) => out.push({code, why});
  assert(!/0Z|Z0/.test(digits));
  for (let i = 0; i + 1 < digits.length; i++) {
    if (digits[i] === digits[i + 1]) continue;
    const swapped = digits.slice(0, i) + digits[i + 1] + digits[i] + digits.slice(i + 2);
    assert(!luhnValid(swapped));
    refuse(`1043-${swapped}`, `digits ${i + 1} and ${i + 2} swapped`);
  }
  for (let i = 0; i < digits.length; i++) {
    const other = ALPHABET[(ALPHABET.indexOf(digits[i]) + 1 + i) % 32];
    const wrong = digits.slice(0, i) + other + digits.slice(i + 1);
    assert(other !== digits[i] && !luhnValid(wrong));
    refuse(`1043-${wrong}`, `digit ${i + 1} wrong`);
  }
  for (const extra of [1, 2, 3]) {
    const value = ALPHABET.indexOf(digits[25]);
    assert.equal(value % 4, 0);
    const padded = digits.slice(0, 25) + ALPHABET[value + extra];
    refuse(`1043-${padded}${luhnCheck(padded)}`, `padding bits ${extra}, check digit right`);
  }
  refuse('', 'empty');
  refuse(' ', 'only a space');
  refuse('-', 'only a hyphen');
  refuse('1043', 'only an index');
  refuse('1043-', 'no digits');
  refuse('1043-P28G-3M6A', 'a short code');
  refuse(`1043-${digits.slice(0, 26)}`, 'no check digit');
  refuse(`1043-${digits.slice(1)}`, 'first digit lost');
  refuse(`1043-${digits}0`, 'a digit too many');
  refuse(`1043-0${digits}`, 'a digit too many in front');
  refuse(digits, 'no index, no hyphen');
  refuse(`-${digits}`, 'no index');
  refuse(`-5-${digits}`, 'negative index');
  refuse(`+5-${digits}`, 'index with a sign');
  refuse(`00-${digits}`, 'index 00');
  refuse(`01043-${digits}`, 'index with a leading zero');
  refuse(`O1043-${digits}`, 'index with a leading zero, written O');
  refuse(`1A43-${digits}`, 'index with a letter');
  refuse(`1.043-${digits}`, 'index with a point');
  refuse(`9007199254740993-${digits}`, 'index above 2^53');
  refuse(`18446744073709551617-${digits}`, 'index 2^64 + 1');
  refuse(`${'9'.repeat(300)}-${digits}`, 'index of 300 digits');
  refuse(`10-43-${digits}`, 'hyphen inside the index');
  refuse(`1043 ${digits.slice(0, 4)}-${digits.slice(4)}`, 'first hyphen not after the index');
  refuse(`1043-${digits.slice(0, 5)}U${digits.slice(6)}`, 'U is no digit');
  refuse(`1043-${digits.slice(0, 5)}!${digits.slice(6)}`, 'another character');
  refuse(`1043-${digits.slice(0, 5)}é${digits.slice(6)}`, 'a letter beyond ASCII');
  refuse(`1043–${digits}`, 'a dash for the hyphen');
  return out;
}

function codes() {
  const seeds = [filled(0, 16), filled(0xff, 16), counting(0, 16), MISTAKEN_SEED];
  const indices = [0, 1, 1043, 999999, 4294967296, 9007199254740991, 9007199254740992];
  return seeds.flatMap((seed) =>
    indices.map((index) => ({index, seed: hex(seed), code: withdrawCode(index, seed)})));
}

// The same codes as people type them.
function typedCodes() {
  const seed = counting(0, 16);
  const digits = codeDigits(seed);
  const groups = digits.match(/.{1,4}/g);
  assert(/0/.test(digits) && /1/.test(digits));
  const read = (typed, index = 1043) => ({typed, index, seed: hex(seed)});
  return [
    read(`1043-${digits}`),
    read(`1043-${digits.toLowerCase()}`),
    read(`1043-${groups.join('-')}`),
    read(`1043-${groups.join(' ')}`),
    read(`  1043 - ${groups.join(' - ')} \r\n`),
    read(`\t1 043-${digits}`),
    read(`1043${digits}`),
    read(`1043 ${groups.join(' ')}`),
    read(`1043--${digits}--`),
    read(`1043-${digits.replaceAll('0', 'O')}`),
    read(`1043-${digits.replaceAll('0', 'o').replaceAll('1', 'l')}`),
    read(`1043-${digits.replaceAll('1', 'I')}`),
    read(`1043-${digits.replaceAll('1', 'i')}`),
    read(`1043-${digits.replaceAll('1', 'L')}`),
    read(`IO43-${digits}`),
    read(`O-${digits}`, 0),
    read(`0-${digits}`, 0),
    read(`0${digits}`, 0),
    read(`9007199254740992${digits}`, 9007199254740992),
  ];
}

const vectors = {
  comment: 'Generated by make.mjs. Bytes are lower-case hex; texts are as they are.',
  published: published(),
  tags: tags(),
  days: days(),
  fields: fields(),
  log: {
    origin: ORIGIN, text: TEXT, addressees: ADDRESSEES, seal: hex(ORGANISERS_PUBLIC),
    open: ENTRY0, g: hex(G), text_entry: textEntry(TEXT, ADDRESSEES),
    text_leaf: hex(leafHash(textEntry(TEXT, ADDRESSEES))),
    void: ['request', 'duplicate', 'fraud', 'test', 'lost'].map((why, i) => {
      const index = i === 4 ? 2 ** 53 : i * 777;
      return {index, why, entry: voidEntry(index, why), leaf: hex(leafHash(voidEntry(index, why)))};
    }),
  },
  keys: {organisers_secret: hex(ORGANISERS_SECRET), organisers_public: hex(ORGANISERS_PUBLIC),
    ephemeral_secret: hex(EPHEMERAL_SECRET),
    second_ephemeral_secret: hex(SECOND_EPHEMERAL_SECRET),
    ephemeral_public: hex(x25519.getPublicKey(EPHEMERAL_SECRET))},
  submissions: submissions(),
  borders: borders(),
  codes: codes(),
  typed_codes: typedCodes(),
  refused_codes: mistakes(),
  minisign: minisign(counting(0x11, 32), counting(0xa0, 8),
    bytes('b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9  summary.json\n'),
    'petition delivery 1, size 1043'),
};

const made = JSON.stringify(vectors, null, 2) + '\n';
if (process.argv[2] === '--check') {
  const committed = readFileSync(new URL('vectors.json', import.meta.url), 'utf8');
  if (committed !== made) {
    console.error('tests/vectors/vectors.json is not what make.mjs computes');
    process.exit(1);
  }
  console.log('tests/vectors/vectors.json is what make.mjs computes');
} else {
  process.stdout.write(made);
}
