/** A header field of HTTP. */
export interface Header {
  name: string;
  value: string;
}

/** AWS credentials. The secret never reaches the component. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface Options {
  /**
   * Gives credentials when a signing key is needed: once a day, and after the receiver refused the last ones. AWS' own
   * providers fit. Nothing says that there are none now.
   */
  credentials?: (wanted: { isRefused: boolean }) => Credentials | undefined | Promise<Credentials | undefined>;
  /** How long a request may take, in milliseconds; 5,000 if absent. */
  timeout?: number;
  /** How long the pauses of one delivery may be together, in milliseconds; 4,000 if absent. */
  patience?: number;
  /** Sends; the global `fetch` if absent. */
  fetch?: typeof fetch;
}

/** Why points were not taken, or why delivery does not go on. */
export interface Explanation {
  reason: string;
  detail: string;
  remedy: string;
}

/** What became of a payload, in points, and the answer for its sender as OTLP/HTTP wants it. */
export interface Outcome {
  status: number;
  headers: Header[];
  body: Uint8Array;
  /** Points that the receiver has. */
  delivered: number;
  /** Points of requests that the receiver stored in part. */
  partlyRejected: number;
  /** Points that nobody takes. */
  rejected: number;
  /** Points that are to be handed in again. */
  unsettled: number;
  explanations: Explanation[];
}

/** What is wrong with a configuration, all at once. */
export class ConfigurationError extends Error {
  readonly problems: { path: string; message: string }[];
}

/** Delivers OTLP metrics, one payload after the other. */
export class Exporter {
  /**
   * Brings a payload to its end: bytes of an OTLP export request, packed and encoded as these fields say. It rejects if
   * the component itself fails; the payload may be handed in again.
   */
  deliver(
    payload: Uint8Array,
    head?: { contentType?: string; contentEncoding?: string },
  ): Promise<Outcome>;
  /** Waits until all that was handed in has come to its end. */
  settled(): Promise<void>;
}

/**
 * Opens an exporter from a configuration: the options of the component, as an object or as JSON. It rejects with a
 * ConfigurationError.
 */
export function open(configuration: string | object, options?: Options): Promise<Exporter>;

/** Credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Not in workerd. */
export function environmentCredentials(): Credentials | undefined;

/** Derives a signing key of AWS Signature Version 4. */
export function deriveKey(secretAccessKey: string, date: string, region: string, service: string): Promise<Uint8Array>;
