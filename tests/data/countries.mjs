// Makes public/countries.json: the 249 countries of ISO 3166-1, their names in English, French and
// Khmer, and what the server needs to turn a phone number as typed into E.164.
//
//     node tests/data/countries.mjs           prints the file
//     node tests/data/countries.mjs --check   exits 1, with one line, if the committed file differs
//
// Exit 2, with one line, means that a source is missing or is not what this script expects.
//
// Sources: Debian's unicode-cldr-core (apt-get install unicode-cldr-core) for the names;
// libphonenumber-js, the version pinned in package.json (npm ci --prefix tests/data), for the
// phones. The order comes from the ICU inside Node.
//
// "calling"  country calling code, or null where the metadata know no phone numbers.
// "trunk"    the plain national prefix, "" where there is none. The server drops it only if what
//            remains has one of the "lengths"; else it keeps the digits as they are. That is what
//            makes "8" safe in Russia, where numbers of 10 digits begin with 8 too.
// "lengths"  lengths of the national significant number, all types, without the lengths that can
//            only be dialled locally.
// "order"    the codes sorted by name, because the server has no collation.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const CLDR = '/usr/share/unicode/cldr/common';
const OUTPUT = fileURLToPath(new URL('../../public/countries.json', import.meta.url));
const LANGUAGES = ['en', 'fr', 'km'];

// The officially assigned alpha-2 codes. No XK, EU or UN: they are not assigned.
const CODES = `
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
`.trim().split(/\s+/);

// Territories for which libphonenumber has no metadata.
const WITHOUT_PHONES = ['AQ', 'BV', 'GS', 'HM', 'PN', 'TF', 'UM'];

// Where the leading zero belongs to the number and stays after the calling code.
const ZERO_STAYS = ['BJ', 'CG', 'CI', 'IT', 'SM', 'VA'];

// Corrections. Everywhere else the trunk prefix is the metadata's plain national prefix, also where
// the metadata have a longer expression for parsing:
//   AR                    15 after the area code of a mobile, which becomes 9 before it
//   BO BR CN CO CR FO KR LI LU   codes that choose a carrier
//   AU GB GG IM JE        prefixes of a service (1831, 180020)
//   CC CX GG IM JE MG NF SM and the NANP islands   an area code put before a local number
//   JP                    toll-free numbers that begin with 00
//   LT                    8, the trunk prefix before the present 0
// In those, a number with the extra digits has no possible length and is refused, not guessed at.
const CORRECTIONS = {
    // People dial 8, wait, then 0 and 9 digits; the metadata have 8 as the prefix, and 80 only in
    // the expression for parsing. Dropping 8 alone would leave a number that does not exist. The
    // other lengths are those of services, and would let 0 and 9 digits pass for another number.
    BY: { trunk: '80', lengths: [9] },
    // The only 7 digits in the metadata are 310-XXXX, which no person has. Any other 7 digits are
    // local numbers without their area code: two people in two provinces would count as one.
    CA: { lengths: [10] },
    // Nine digits with a 0 since 2019, eight without it after +241; the older numbers, of 7 and 8
    // digits, were switched off in April 2024. In the metadata this is an expression only.
    GA: { trunk: '0', lengths: [8] },
};

class SourceError extends Error {}

function expect(condition, message) {
    if (!condition) throw new SourceError(message);
}

function read(path, remedy) {
    try {
        return readFileSync(path, 'utf8');
    } catch (error) {
        throw new SourceError(`${path}: ${error.code}; ${remedy}`);
    }
}

function readCldr(path) {
    return read(`${CLDR}/${path}`, 'apt-get install unicode-cldr-core');
}

function readPhonePackage(file) {
    const require = createRequire(import.meta.url);
    try {
        return require(`libphonenumber-js/${file}`);
    } catch (error) {
        throw new SourceError(`libphonenumber-js: ${error.code}; npm ci --prefix tests/data`);
    }
}

function decodeEntities(text) {
    const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
    return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (entity, hex, decimal, name) => {
        if (hex) return String.fromCodePoint(parseInt(hex, 16));
        if (decimal) return String.fromCodePoint(parseInt(decimal, 10));
        expect(name in named, `unknown entity ${entity}`);
        return named[name];
    });
}

// The plain names only: an element with alt="short" or alt="variant" does not match.
function territoryNames(language) {
    const xml = readCldr(`main/${language}.xml`).replace(/<!--[^]*?-->/g, '');
    const block = /<territories>([^]*?)<\/territories>/.exec(xml);
    expect(block, `${language}.xml has no territories`);
    const names = new Map();
    for (const [, code, name] of
        block[1].matchAll(/<territory type="([A-Z]{2})"(?: draft="\w+")?>([^<]*)<\/territory>/g)) {
        expect(!names.has(code), `${language}.xml names ${code} twice`);
        names.set(code, decodeEntities(name).normalize('NFC').replaceAll('\u200b', '').trim());
    }
    return names;
}

function cldrVersion() {
    const match = /cldrVersion CDATA #FIXED "([\d.]+)"/.exec(readCldr('dtd/ldml.dtd'));
    expect(match, 'ldml.dtd does not tell the CLDR version');
    return match[1];
}

// Lengths of the numbers people have: fixed line, mobile, personal, VoIP. Those of services would let
// local numbers pass without their area code, and two people with the same local number would merge.
const PERSONAL_TYPES = [0, 1, 4, 8];

function personalLengths(plan) {
    const types = plan[11] || [];
    const lengths = PERSONAL_TYPES.filter((i) => types[i])
        .flatMap((i) => types[i][1] || plan[3]);
    return [...new Set(lengths.length ? lengths : plan[3])].sort((a, b) => a - b);
}

// The positions are those of the format 4 of the metadata (METADATA.md of libphonenumber-js): 0 is
// the calling code, 3 the possible lengths, 5 the national prefix, where 0, the number, is none.
function phonePlan(code, metadata) {
    const plan = metadata.countries[code];
    expect(!plan === WITHOUT_PHONES.includes(code), `${code}: phone metadata come or gone`);
    if (!plan) return { calling: null, trunk: '', lengths: [] };
    const lengths = personalLengths(plan);
    return { calling: plan[0], trunk: plan[5] || '', lengths, ...CORRECTIONS[code] };
}

function checkCountry({ code, calling, trunk, lengths, names }) {
    for (const language of LANGUAGES) {
        const name = names[language];
        expect(name && name !== code, `${code}: no name in ${language}`);
        expect(!/[\p{Cc}\u2190-\u21ff]/u.test(name), `${code}: odd name in ${language}: ${name}`);
    }
    if (calling === null) return;
    expect(/^[1-9]\d{0,2}$/.test(calling), `${code}: odd calling code ${calling}`);
    expect(/^\d{0,2}$/.test(trunk), `${code}: odd trunk prefix ${trunk}`);
    expect(lengths.length > 0 && lengths.every(Number.isInteger), `${code}: no lengths`);
    expect(trunk === '' || !ZERO_STAYS.includes(code), `${code}: the leading zero must stay`);
}

// A number typed with + is matched by its calling code alone, so that must tell the trunk prefix.
function checkSharedCodes(countries) {
    const trunks = new Map();
    for (const { code, calling, trunk } of countries.filter((country) => country.calling)) {
        const known = trunks.get(calling) ?? trunk;
        expect(known === trunk, `${code}: its trunk prefix is not that of others with +${calling}`);
        trunks.set(calling, trunk);
    }
}

function makeCountries(metadata) {
    const named = LANGUAGES.map((language) => [language, territoryNames(language)]);
    const countries = CODES.map((code) => ({
        code,
        ...phonePlan(code, metadata),
        names: Object.fromEntries(named.map(([language, names]) => [language, names.get(code)])),
    }));
    expect(new Set(CODES).size === 249, 'ISO 3166-1 has 249 codes');
    expect(CODES.join() === [...CODES].sort().join(), 'the codes are not sorted');
    countries.forEach(checkCountry);
    checkSharedCodes(countries);
    return countries;
}

function orderByName(countries, language) {
    const collator = new Intl.Collator(language);
    expect(collator.resolvedOptions().locale === language, `this Node cannot sort ${language}`);
    return [...countries]
        .sort((a, b) => collator.compare(a.names[language], b.names[language])
            || (a.code < b.code ? -1 : 1))
        .map((country) => country.code);
}

function makeFile() {
    const metadata = readPhonePackage('metadata.max.json');
    const { version } = readPhonePackage('package.json');
    const { devDependencies } = createRequire(import.meta.url)('./package.json');
    const pinned = devDependencies['libphonenumber-js'];
    expect(metadata.version === 4, `unknown format ${metadata.version} of the phone metadata`);
    expect(version === pinned, `libphonenumber-js ${version} installed, ${pinned} pinned`);
    const countries = makeCountries(metadata);
    const source = `Names: Unicode CLDR ${cldrVersion()} `
        + '(Unicode-DFS-2016, © 1991-2022 Unicode, Inc.). '
        + `Calling codes, trunk prefixes, lengths: libphonenumber-js ${version} `
        + '(MIT; metadata Apache-2.0), '
        + `corrected for ${Object.keys(CORRECTIONS).join(', ')}: see tests/data/countries.mjs.`;
    const rows = countries.map((country) => JSON.stringify(country)).join(',\n');
    const orders = LANGUAGES
        .map((language) => [language, orderByName(countries, language)])
        .map(([language, codes]) => `${JSON.stringify(language)}:${JSON.stringify(codes)}`)
        .join(',\n');
    return `{"source":${JSON.stringify(source)},"countries":[\n${rows}\n],\n"order":{${orders}}}\n`;
}

function check(made) {
    const committed = read(OUTPUT, 'it has not been made yet').split('\n');
    const lines = made.split('\n');
    const at = lines.findIndex((line, i) => line !== committed[i]);
    if (at < 0 && lines.length === committed.length) return;
    const line = at < 0 ? lines.length : at + 1;
    console.error(`${OUTPUT}:${line}: differs from what tests/data/countries.mjs makes`);
    process.exitCode = 1;
}

try {
    const made = makeFile();
    if (process.argv[2] === '--check') check(made);
    else if (process.argv.length === 2) process.stdout.write(made);
    else throw new SourceError('usage: node countries.mjs [--check]');
} catch (error) {
    if (!(error instanceof SourceError)) throw error;
    console.error(`countries.mjs: ${error.message}`);
    process.exitCode = 2;
}
