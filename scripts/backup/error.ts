/** Ends the command with exit code 2: nothing was written, or all of it was undone. */
export class BackupError extends Error {
  override name = "BackupError";
  /** A word for scripts. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
