#!/usr/bin/env node
/** Says what a guest saw at some time, by the database of history.js: its own values, and those of the host. */
import { setTimeout as sleep } from 'node:timers/promises';

import sqlite from 'node-sqlite3-wasm';

const USAGE = `Usage: node history-query.js DATABASE DOMAIN TIME
  DOMAIN  name or uuid of a VM
  TIME    14:02 or 14:02:30 (the last one that has been), or 2026-05-17T14:02; local time unless it says another`;

const timeOf = (text, now = new Date()) => {
  const [matched, hour, minute, second = '0'] = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  if (matched === undefined) return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (hour > 23 || minute > 59 || second > 59) return Number.NaN;
  const onDay = (day) => new Date(now.getFullYear(), now.getMonth(), day, hour, minute, second).getTime();
  const today = onDay(now.getDate());
  return today <= now.getTime() ? today : onDay(now.getDate() - 1);
};

// The format of Swedish is ISO's, in local time.
const local = (time) => new Date(Number(time)).toLocaleString('sv-SE');

// Names and values are hostile: nothing of them may steer the terminal.
const shown = (text) => text.replaceAll(/\p{C}/gu, '?');

const line = (context, { metric, value, unit, since }) =>
  `${context} ${shown(metric)} = ${shown(value)}${unit === null ? '' : ` ${shown(unit)}`}  (since ${local(since)})`;

const AT = 'since <= ? AND (until IS NULL OR until > ?)';

/** What is known of a domain at a time, as lines; or undefined. */
const answer = (database, domain, time) => {
  const at = (uuid) =>
    database.all(`SELECT * FROM history WHERE uuid = ? AND ${AT} ORDER BY rowid`, [uuid, time, time]);
  const guests = database.all(
    `SELECT DISTINCT uuid, domain FROM history WHERE uuid <> '' AND (uuid = ? OR domain = ?) AND ${AT}`,
    [domain, domain, time, time],
  );
  if (guests.length === 0) return undefined;
  return guests.flatMap(({ uuid, domain: name }) => [
    `${shown(name)} (${uuid}) at ${local(time)}:`,
    ...at(uuid).map((row) => line('vm  ', row)),
    ...at('').map((row) => line('host', row)),
  ]);
};

const nothing = (database, domain, time) => {
  const [{ first, last }] = database.all(
    'SELECT min(since) AS first, max(coalesce(until, (SELECT at FROM latest))) AS last FROM history WHERE uuid = ? OR domain = ?',
    [domain, domain],
  );
  const what = `Nothing is known of ${shown(domain)} at ${local(time)}`;
  if (domain === '' || first === null) return `${what}, nor at any other time`;
  return `${what}; it was seen first at ${local(first)} and last at ${local(last)}`;
};

const ask = (file, domain, time) => {
  const database = new sqlite.Database(file, { fileMustExist: true, readOnly: true });
  try {
    const lines = answer(database, domain, time) ?? [];
    return { lines, failure: lines.length === 0 ? nothing(database, domain, time) : undefined };
  } finally {
    database.close();
  }
};

const main = async ([file, domain, text, ...rest]) => {
  const time = timeOf(text ?? '');
  if (rest.length > 0 || Number.isNaN(time)) {
    console.error(USAGE);
    return 2;
  }
  for (let tries = 1; ; tries += 1) {
    try {
      const { lines, failure } = ask(file, domain, time);
      for (const one of lines) console.log(one);
      if (failure !== undefined) console.error(failure);
      return failure === undefined ? 0 : 1;
    } catch (error) {
      // The daemon is writing, for some milliseconds.
      if (/locked/.test(error.message) && tries < 50) await sleep(20);
      else {
        console.error(`${file}: ${error.message}`);
        return 1;
      }
    }
  }
};

process.exitCode = await main(process.argv.slice(2));
