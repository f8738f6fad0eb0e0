/** Output stream of a command: a terminal, or anything else. */
export interface Target {
  readonly isTTY?: boolean;
}

const hex = (code: number): string => code.toString(16).toUpperCase();

const C0_BUT_TAB_AND_LF = String.raw`\u0000-\u0008\u000B-\u001F`;
const DEL_AND_C1 = String.raw`\u007F-\u009F`;
const DIRECTION = String.raw`\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069`;
/** Characters that can control a terminal or change the order in which text is shown. */
const STEERING = new RegExp(`[${C0_BUT_TAB_AND_LF}${DEL_AND_C1}${DIRECTION}]`, 'g');

const REFERENCES = {
  xml: (code: number) => `&#x${hex(code)};`,
  json: (code: number) => `\\u${hex(code).padStart(4, '0')}`,
  text: (code: number) => `\\u{${hex(code)}}`,
} as const;

/** Returns untrusted text for an output stream: unchanged, but for a terminal with control characters escaped. */
export const shownAt = (target: Target, text: string, form: keyof typeof REFERENCES): string =>
  target.isTTY === true ? text.replace(STEERING, (character) => REFERENCES[form](character.charCodeAt(0))) : text;

/** Prints a line on stderr. */
export const complain = (line: string): void => console.error(shownAt(process.stderr, line, 'text'));
