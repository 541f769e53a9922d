import { expect, test } from "vitest";
import { JoinedTyping } from "../../src/edge/commands/joined-typing.ts";
import type { UserId } from "../../src/protocol/ids.ts";
import { joins, ROOM, stream, streamForEachTest, typing } from "../support/stream-scene.ts";
import { viewOf } from "../support/view-of.ts";

const ANN = "11" as UserId;
const ended = typing(ANN, false).body;

streamForEachTest();

function typists() {
  const gateway = { placement: viewOf(1, ["w1"]) };
  return { gateway, typists: new JoinedTyping(gateway, { get: () => stream }) };
}

test("[TYJ1] an answer that comes after its owner has gone: the named stop at once", () => {
  const { gateway, typists: it } = typists();
  stream.open(1, false);
  const bob = joins("12");
  const owner = it.ownerOf(ROOM);
  gateway.placement = viewOf(2, ["w2"]);
  stream.endTyping("w2");
  it.answered(bob.session, ROOM, [ANN], owner);
  expect(bob.heard).toEqual([`typing ${ended}`]);
});

test("[TYJ1] but not those who have begun again with the new owner", () => {
  const { gateway, typists: it } = typists();
  stream.open(1, false);
  const bob = joins("12");
  const owner = it.ownerOf(ROOM);
  gateway.placement = viewOf(2, ["w2"]);
  stream.onEvent({ ...typing(ANN, true), from: "w2" });
  it.answered(bob.session, ROOM, [ANN], owner);
  expect(bob.heard).toEqual([`typing ${typing(ANN, true).body}`]);
});

test("[TYJ2] whoever the present owner names stops when the owner changes", () => {
  const { typists: it } = typists();
  stream.open(1, false);
  const bob = joins("12");
  it.answered(bob.session, ROOM, [ANN], it.ownerOf(ROOM));
  expect(bob.heard).toEqual([]);
  stream.endTyping("w2");
  expect(bob.heard).toEqual([`typing ${ended}`]);
});
