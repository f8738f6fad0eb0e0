/** Thrown where a shell text has something whose value cannot be predicted with certainty. `message`: what it does. */
export class NotUnderstood extends Error {}

/** @throws NotUnderstood always. */
export const refuse = (reason: string): never => {
  throw new NotUnderstood(reason);
};

/** Thrown where the shell ends a text with an error, so that the action has no value. */
export class ShellError extends Error {}
