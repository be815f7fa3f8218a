// Which members of a configuration each cloud has (docs/configuration.md), and which of them the form shows.

/**
 * By a section's name: what the cloud is called, its own members, which of them may be left out, and the ways by which
 * devices prove who they are, of which one is chosen. The first way is the usual one.
 */
export const CLOUDS = {
  aws: {
    called: "AWS IoT Core",
    members: ["endpoint", "root_ca"],
    ways: { claim: ["template", "claim_certificate", "claim_key", "keys"], own: ["thing_name", "certificate", "key"] },
    optional: ["keys"],
    legend: "Certificate",
  },
  azure: {
    called: "Azure IoT Hub",
    members: ["endpoint", "root_ca", "id_scope", "device_id"],
    ways: { group_key: ["group_key"], shared_access_key: ["shared_access_key"], x509: ["certificate", "key"] },
    optional: ["endpoint", "id_scope", "device_id"],
    endpoint: "global.azure-devices-provisioning.net",
  },
  clearblade: {
    called: "ClearBlade IoT Core",
    members: ["endpoint", "root_ca", "project", "location", "registry", "device_id", "key"],
    ways: {},
    optional: ["endpoint", "device_id"],
    endpoint: "us-central1-mqtt.clearblade.com",
  },
  alibaba: {
    called: "Alibaba Cloud IoT Platform",
    members: ["endpoint", "root_ca", "product_key", "device_id", "device_secret"],
    ways: {},
    optional: ["device_id"],
  },
  mqtt: {
    called: "MQTT broker",
    members: ["endpoint", "port", "root_ca", "device_id"],
    ways: { login: ["user", "password"], x509: ["certificate", "key"], both: ["user", "password", "certificate", "key"] },
    optional: ["port", "device_id"],
    optionalBy: { both: ["password"] }, // Event Grid wants none
  },
};

/** The section that a product is for, undefined where it has none or several. */
export function cloudOf(product) {
  const found = Object.keys(CLOUDS).filter((name) => typeof product?.[name] === "object" && product[name] !== null);
  return found.length === 1 ? found[0] : undefined;
}

/** Whether a member may be left out. */
export function isOptional(cloud, way, member) {
  return [...CLOUDS[cloud].optional, ...(CLOUDS[cloud].optionalBy?.[way] ?? [])].includes(member);
}

/** The way by which a section proves who the device is; undefined where the cloud has but one. */
export function wayOf(cloud, section) {
  const ways = Object.entries(CLOUDS[cloud].ways);
  if (cloud === "aws") return section.claim_key || !ways[1][1].every((member) => section[member]) ? "claim" : "own";
  const fitting = ways.filter(([way, members]) => members.every((member) => section[member] || isOptional(cloud, way, member)));
  return (fitting.at(-1) ?? ways[0])?.[0]; // of those that fit the last has most members
}

/** What the form shows for a cloud and a way, in its order. */
export function membersOf(cloud, way) {
  return [...CLOUDS[cloud].members, ...(CLOUDS[cloud].ways[way] ?? [])];
}
