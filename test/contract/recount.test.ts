/** RecountStore: one suite for both storages. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { retitle } from "../support/group-changes.ts";
import { edits, removes } from "../support/message-changes.ts";
import { ADAPTERS, granted, newGroup, newUsers, type OpenStorage, say } from "./adapters.ts";

describe.each(ADAPTERS)("recount in $name", ({ open }) => {
  let storage: OpenStorage;
  let users: UserId[];
  let post: PostId;

  beforeAll(async () => {
    storage = await open();
    users = await newUsers(storage, 3);
    post = (await granted(storage.posts.create(users[0]!, { body: "a post" }))).id as PostId;
    for (const userId of users) {
      await granted(storage.posts.like({ postId: post, userId, liked: true }));
      await granted(storage.posts.comment(post, userId, { body: "a comment" }));
    }
    await granted(storage.posts.like({ postId: post, userId: users[1]!, liked: false }));
    // Nothing refers to this one: empty lists are counted too.
    await granted(storage.posts.create(users[1]!, { body: "another" }));
    await storage.posts.remove(
      (await granted(storage.posts.create(users[2]!, { body: "x" }))).id as PostId,
      users[2]!,
    );
  });
  afterAll(() => storage?.close());

  const talk = async () => {
    const group = await newGroup(storage, users);
    for (const body of ["a", "b", "c"]) await granted(say(storage, group, users[0]!, body));
    await granted(edits(storage.conversations, group, 1, users[0]!, "A"));
    const call = { by: users[1]!, key: "👍", on: true, isOnly: false, isForAll: false };
    await storage.reactions.react(group, 3, [
      { ...call, isAllowed: true },
      { ...call, by: users[2]!, isAllowed: true },
      { ...call, key: "🎉", isAllowed: true },
    ]);
    await granted(retitle(storage.conversations, group, users[1]!, "Title"));
    await granted(removes(storage.conversations, group, 2, users[0]!));
    return group;
  };
  /** In which some messages do not count, one user has read half and another nothing. */
  const quietTalk = async () => {
    const group = await newGroup(storage, users);
    for (const [n, silent] of [false, true, false, true, true, false].entries()) {
      const message = { senderId: users[0]!, clientId: `q${n}`, body: "x", replyToSeq: null };
      const content = silent ? { silent: true as const } : { type: "note" };
      await granted(storage.conversations.append({ conversationId: group, ...message, content }));
    }
    const mark = { conversationId: group, userId: users[1]!, seq: 4, read: true };
    await granted(storage.conversations.mark(mark));
    return group;
  };
  const news = (userId: UserId, message: string) => ({
    ...{ userId, message, type: "note", actorId: null, postId: null, commentId: null, data: null },
  });

  it("[REC1] nothing differs after ordinary use", async () => {
    await talk();
    await quietTalk();
    await newGroup(storage, users);
    const first = await granted(storage.notifications.add(news(users[0]!, "1")));
    await granted(storage.notifications.add(news(users[0]!, "2")));
    await granted(storage.notifications.grow(users[0]!, first!.id, 1, null, "3"));
    await storage.notifications.markRead(users[0]!, 3);
    expect(await storage.recount.recount(false)).toEqual([]);
    expect(await storage.recount.recount(true)).toEqual([]);
  });

  it("[REC2] planted differences are found, kept without mend, and mended with it", async () => {
    const group = await talk();
    await granted(storage.notifications.add(news(users[2]!, "one")));
    const planted: [string, string, number, number][] = [
      ["posts.like_count", post, 5, 2],
      ["posts.comment_count", post, -2, 3],
      ["messages.reactions", `${group}/3/🎉`, 2, 1],
      ["conversations.rev", group, 4, 8],
      ["notification_counters.last_seq", users[2]!, -1, 1],
      ["conversation_members.read_seq", `${group}/${users[0]}`, 6, 3],
    ];
    for (const [what, id, by] of planted) await storage.plant(what, id, by);
    const differences = planted.map(([what, id, by, counted]) => ({
      what,
      id,
      stored: counted + by,
      counted,
    }));
    expect(await storage.recount.recount(false)).toEqual(differences);
    expect(await storage.recount.recount(true)).toEqual(differences);
    expect(await storage.recount.recount(false)).toEqual([]);
    const [, , third] = await storage.conversations.newest(group, 3);
    expect(third?.reactions).toEqual([
      { key: "👍", count: 2, last_user_ids: [users[2], users[1]] },
      { key: "🎉", count: 1, last_user_ids: [users[1]] },
    ]);
    expect(await storage.posts.load(post)).toMatchObject({ likeCount: 2, commentCount: 3 });
    expect(await storage.conversations.load(group)).toMatchObject({ rev: 8, last_seq: 3 });
    expect((await granted(storage.notifications.add(news(users[2]!, "two"))))!.seq).toBe(2);
  });

  it("[REC3] a recount beside live traffic finds nothing and loses nothing", async () => {
    const hot = (await granted(storage.posts.create(users[0]!, { body: "hot" }))).id as PostId;
    const fans = await newUsers(storage, 40);
    const posts = [storage.posts, storage.host().posts];
    const likes = Array.from({ length: 400 }, (_, i) =>
      granted(
        posts[i % 2]!.like({
          postId: hot,
          userId: fans[i % 40]!,
          liked: Math.floor(i / 40) % 2 < 1,
        }),
      ),
    );
    expect(await storage.recount.recount(true)).toEqual([]);
    await Promise.all(likes);
    expect(await storage.recount.recount(false)).toEqual([]);
  });
});
