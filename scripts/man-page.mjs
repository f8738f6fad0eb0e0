// Makes a manual page, in the macros of man(7), of a Markdown page:
//   <!-- man NAME SECTION DATE: what it is -->   the page's title, and the day of its last change
//   ## Heading, ### heading                      .SH, .SS; what precedes the first ## is the DESCRIPTION
//   - `tag` and more: text                       a tagged paragraph; without a tag, an item with a bullet
//   | tag | a fact | another | text |            a tagged paragraph: text (a fact, another)
//   [text](page.md)                              text (NAME(SECTION)) if that page is a manual page, else its text
//   ```synopsis                                  options in bold, their values in italics
//   <!-- include page.md -->                     the content of that page; its ## is .SS, its ### an item with a bullet
// Left out are images, comments, paragraphs that are a link only, and those in italics only, which are about the tests
// of a page.
import { lexer } from 'marked';

const CHARACTERS = { '\\': '\\e', '-': '\\-', '^': '\\(ha', '~': '\\(ti', '`': '\\(ga', "'": '\\(aq' };
const unicode = (character) => `\\[u${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;
const literal = (text) => text.replace(/[\\^~`'-]/g, (one) => CHARACTERS[one]).replace(/[^\n\t -~]/gu, unicode);
// In prose a hyphen stays one, at which a line may break.
const prose = (text) => literal(text).replaceAll(/(?<=\w)\\-(?=\w)/g, '-');
/** Keeps a line from being a request. */
const line = (text) => text.replaceAll(/^(?=[.']|\\\(aq)/gm, '\\&');

const bold = (text) => `\\fB${text}\\fP`;
const italic = (text) => `\\fI${text}\\fP`;
const plain = (text) => text.replaceAll(/\\f[BIP]/g, '');

/** An option with its value, a path, or any other literal text. */
const code = (text) => {
  if (text.startsWith('-'))
    return bold(literal(text).replaceAll(/(?<=[ =])[A-Z]+\b/g, (value) => `\\fP${italic(value)}\\fB`));
  return /^[/~]\S*$/.test(text) ? italic(literal(text)) : bold(literal(text));
};

const reference = (page) => `${bold(literal(page.name))}(${page.section})`;

/**
 * Returns the text of a page.
 *
 * @param pageOf Returns `{ name, section }` of the manual page that is made of a link's target, if there is one.
 * @param include Returns the Markdown of a page to include.
 */
export const manPage = (markdown, { pageOf, include }) => {
  const [, name, section, date, summary] = /^<!-- man (\S+) (\d) (\S+): (.*) -->$/m.exec(markdown);

  const inline = (tokens) =>
    tokens
      .map((token) => {
        if (token.type === 'codespan') return code(token.text);
        if (token.type === 'strong') return bold(plain(inline(token.tokens)));
        if (token.type === 'em') return italic(plain(inline(token.tokens)));
        if (token.type === 'link') return link(token);
        if (token.type === 'image' || token.type === 'html') return '';
        return token.tokens === undefined ? prose(token.text) : inline(token.tokens);
      })
      .join('');
  const link = ({ href, tokens }) => {
    const text = inline(tokens);
    const page = pageOf(href);
    if (page === undefined || (page.name === name && page.section === section)) return text;
    return plain(text) === prose(`${page.name}(${page.section})`) ? reference(page) : `${text} (${reference(page)})`;
  };
  // Two spaces would follow a sentence that ends a line.
  const text = (tokens) => line(inline(tokens).trim().replaceAll('\n', ' '));
  /** Starts with a capital letter. */
  const sentence = (tokens) => text(tokens).replace(/^(?!libvirt)[a-z]/, (letter) => letter.toUpperCase());

  // A tag is literal text, with others and a remark in parentheses, before a colon; or a bold sentence.
  const TAG = /^x(?:, x)*(?: \([^)]*\))?$/;
  const tagOf = (tokens) => {
    const [first, ...others] = tokens;
    if (first.type === 'strong' && first.text.endsWith('.')) return { tag: [first], rest: others };
    const at = tokens.findIndex(({ type, text: own }) => type === 'text' && /:(?:\s|$)/.test(own));
    if (at === -1) return undefined;
    const [, before, after] = /^([^]*?):(?:\s+([^]*))?$/.exec(tokens[at].text);
    const part = (own) => ({ type: 'text', text: own });
    const tag = [...tokens.slice(0, at), part(before)];
    const shape = tag.map(({ type, text: own }) => (type === 'text' ? own : 'x')).join('');
    return TAG.test(shape) ? { tag, rest: [part(after ?? ''), ...tokens.slice(at + 1)] } : undefined;
  };
  const item = ({ tokens: [first, ...others] }, mark) => {
    const found = mark === undefined ? tagOf(first.tokens) : undefined;
    const start =
      found === undefined
        ? `.IP ${mark ?? '\\(bu'} 4\n${text(first.tokens)}\n`
        : `.TP\n${text(found.tag)}\n${sentence(found.rest) || '\\&'}\n`;
    const more = blocks(others);
    return more === '' ? start : `${start}.RS\n${more}.RE\n`;
  };
  const list = ({ items, ordered, start }) =>
    items.map((one, index) => item(one, ordered ? `${Number(start) + index}.` : undefined)).join('');
  const table = ({ rows }) =>
    rows
      .map((cells) => {
        const [tag, ...rest] = cells.map((cell) => text(cell.tokens));
        const facts = rest.slice(0, -1).filter((fact) => fact !== '');
        return `.TP\n${tag}\n${rest.at(-1) || '\\&'}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}\n`;
      })
      .join('');
  const fence = ({ text: own, lang }) => {
    const lines = line(literal(own));
    const shown =
      lang === 'synopsis'
        ? lines
            .replaceAll(/^vhostmd( [a-z]+)?|^[a-z]+(?:\\-[a-z]+)*/gm, (words) => bold(words))
            .replaceAll(/(?<![\w-])(?:\\-)+[a-z]+(?:\\-[a-z]+)*/g, (option) => bold(option))
            .replaceAll(/\b[A-Z]{3,}\b|\bN\b/g, (value) => italic(value))
        : lines;
    return `.PP\n.nf\n${shown}\n.fi\n`;
  };
  const paragraph = ({ tokens }) => {
    const only = tokens.filter(({ type, text: own }) => type !== 'text' || own.trim() !== '');
    if (only.length === 1 && ['em', 'image', 'link'].includes(only[0].type)) return '';
    return `.PP\n${text(tokens)}\n`;
  };
  const block = (token, deeper) => {
    if (token.type === 'paragraph' || token.type === 'text') return paragraph(token);
    if (token.type === 'list') return list(token);
    if (token.type === 'table') return table(token);
    if (token.type === 'code') return fence(token);
    if (token.type === 'html') return included(token.text);
    if (token.type === 'heading') return heading(token, deeper);
    return '';
  };
  const included = (comment) => {
    const [, page] = /^<!-- include (\S+) -->/.exec(comment) ?? [];
    return page === undefined ? '' : blocks(lexer(include(page)), 1);
  };
  const heading = ({ depth, tokens }, deeper) => {
    if (depth === 1) return '';
    const title = text(tokens);
    if (depth + deeper > 3) return `.IP \\(bu 4\n${title}\n`;
    return depth + deeper === 2 ? `.SH ${plain(title).toUpperCase()}\n` : `.SS ${plain(title)}\n`;
  };
  /** Blocks of a page whose headings are that much `deeper`. */
  const blocks = (tokens, deeper = 0) => tokens.map((token) => block(token, deeper)).join('');

  const body = blocks(lexer(markdown));
  const start = body.startsWith('.SH') ? '' : '.SH DESCRIPTION\n';
  return (
    `.\\" Made by scripts/man-pages.mjs.\n.TH ${name.toUpperCase()} ${section} ${date} "vhostmd"\n.nh\n.ad l\n` +
    `.SH NAME\n${literal(name)} \\- ${prose(summary)}\n${start}${body}`
  )
    .replaceAll(/(^\.S[HS] .*\n)(?:\.PP\n)+/gm, '$1')
    .replaceAll(/(^\.RS\n)\.PP\n(?!\.nf)/gm, '$1');
};
