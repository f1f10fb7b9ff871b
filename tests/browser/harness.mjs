// Debian's Chromium by playwright-core: pages that watch their own console and every request.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { until } from '../http/harness.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const PHONE = { width: 360, height: 740 };

/** A browser, without a sandbox because tests often run as root in a container. */
export function launch() {
    return chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--disable-quic'],
    });
}

/**
 * A fresh visitor. `use(page)` may do as it likes; afterwards there must have been no message on the
 * console, no error of a script and no request to another host. Options: lang, script, viewport.
 */
export async function visit(browser, service, { script = true, lang = 'en', viewport = PHONE } = {}, use) {
    const context = await browser.newContext({ javaScriptEnabled: script, locale: lang, viewport });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const complaints = [];
    page.on('console', (message) => {
        // Chromium itself logs that a document came with a status of 4xx, and that a log-out cleared
        // what it had kept; that is the point of some.
        if (!/Failed to load resource: the server responded with a status of 4\d\d|^Clear-Site-Data header/.test(message.text()))
            complaints.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`script: ${error.message}`));
    page.on('request', (request) => {
        const url = new URL(request.url());
        if (url.protocol !== 'data:' && url.origin !== service.origin)
            complaints.push(`request to ${url.href}`);
    });
    try {
        await use(page);
    } finally {
        await context.close();
    }
    assert.deepEqual(complaints, []);
}

/** axe-core's findings against WCAG 2.2 AA, one line each. */
export async function violations(page) {
    await page.evaluate(axeSource);
    const { violations: found } = await page.evaluate(() => globalThis.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa'],
    }));
    return found.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`));
}

/** Nothing sticks out to the right, at this width. */
export async function assertNoSideways(page, width) {
    const before = page.viewportSize();
    await page.setViewportSize({ width, height: 740 });
    const wide = await page.evaluate((limit) => {
        if (document.documentElement.scrollWidth <= limit)
            return [];
        return [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > limit + 0.5)
            .map((element) => `${element.tagName}.${element.className} ${Math.round(element.getBoundingClientRect().right)}`);
    }, width);
    await page.setViewportSize(before);
    assert.deepEqual(wide, [], `at ${width} px`);
}

/** A picture into $PETITION_SHOTS, if that is set. */
export async function picture(page, name) {
    const folder = process.env.PETITION_SHOTS;
    if (!folder)
        return;
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

/** Reloads the petition page until its figure is `expected`. */
export function showsCount(page, expected) {
    return until(async () => {
        await page.reload();
        return await page.locator('.count strong').innerText() === String(expected);
    }, `the page shows the count ${expected}`, 15_000, 300);
}
