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

/** What is asked for. `isRefused` says that the receiver refused the last ones; AWS' providers call it `forceRefresh`. */
export interface Wanted {
  isRefused: boolean;
  forceRefresh: boolean;
}

export interface Options {
  /**
   * Gives credentials when a signing key is needed: once a day, and after the receiver refused the last ones. The
   * providers of `@aws-sdk/credential-providers` fit. None, or an error, says that there are none now: the delivery waits,
   * and asks again.
   */
  credentials?: (wanted: Wanted) => Credentials | undefined | Promise<Credentials | undefined>;
  /** How long a request may take, in milliseconds; 5,000 if absent. */
  timeout?: number;
  /** After how many milliseconds a delivery ends in place of pausing; 4,000 if absent. So it takes at most `patience + timeout`. */
  patience?: number;
  /** Whether deliveries follow each other in the order in which they were begun. True if absent, but in workerd. */
  isOrdered?: boolean;
  /** Sends; the global `fetch` if absent. */
  fetch?: typeof fetch;
}

/** Why points were not taken, or why delivery does not go on: what is wrong, and what can be changed. */
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

/** The component failed with a payload. Another instance has taken its place, and no other payload is lost. */
export class ComponentError extends Error {}

/** Delivers OTLP metrics. */
export class Exporter {
  private constructor();
  /**
   * Brings a payload to its end: bytes of an OTLP export request, packed and encoded as these fields say. It rejects with
   * a ComponentError if the component itself fails.
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

/** Credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Not in workerd, where they are in `env`. */
export function environmentCredentials(): Credentials | undefined;

/** Derives a signing key of AWS Signature Version 4. */
export function deriveKey(secretAccessKey: string, date: string, region: string, service: string): Promise<Uint8Array>;
