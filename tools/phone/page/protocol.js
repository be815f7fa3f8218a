// The numbers of docs/ble.md, version 1.

export const VERSION = 1;
export const SERVICE = "5704246a-5d4c-4f19-9b53-157d8824063d";

export const AUTH = 1;
export const CONFIG = 2;
export const STATUS = 3;
export const DATA = 4;

export const CHARACTERISTICS = new Map([
  [AUTH, "15ba8b82-df9a-46dc-865a-177a17ad9035"],
  [CONFIG, "20a62cd0-93ba-41e2-96b0-31b1aa131909"],
  [STATUS, "3a21768b-174a-41bc-8b25-b9c1ebfb7510"],
  [DATA, "43c5e37d-b664-4b4a-aa33-032bbaf7133f"],
]);

// Operations on CONFIG, then on STATUS.
export const BEGIN = 1;
export const ADD = 2;
export const COMMIT = 3;
export const GET = 1;
export const SCAN = 2;
export const TIME = 3;

export const DOCUMENT_MAX = 16384; // bytes
export const PIECE = 1024; // bytes of the document in one request

const RESULTS = [
  "SUCCESS", "IN_PROGRESS", "CONFIG_DONE", "ACCESS_DENIED", "TIMEOUT", "MISSING_ELEMENTS", "WRONG_PASSWORD",
  "WRONG_SSID", "INVALID_REQUEST", "MISSING_PACKETS", "CHECKSUM_FAILED", "BUSY", "UNKNOWN_FAILURE",
  "INVALID_JSON", "NO_ADDRESS", "INVALID_VALUE", "TOO_LARGE", "STORAGE_FAILED", "LOCKED", "UNSUPPORTED_VERSION",
  "OPEN_NETWORK", "NEEDS_PASSWORD", "OLD_SECURITY", "ENTERPRISE", "NOT_REACHED",
];

/** The name of a result code; UNKNOWN_FAILURE for one that this version does not know. */
export function resultName(code) {
  return RESULTS[code] ?? "UNKNOWN_FAILURE";
}

/** The connection ended, or nothing comes over it any more: connect again and go on. */
export class ConnectionLost extends Error {
  constructor(message = "the connection was lost") {
    super(message);
    this.name = "ConnectionLost";
  }
}

/** The device refuses. `result` is the name of a result code; `detail` says more where there is more. */
export class Refused extends Error {
  constructor(result, detail = "") {
    super(detail ? `${result}: ${detail}` : result);
    this.name = "Refused";
    this.result = result;
    this.detail = detail;
  }
}
