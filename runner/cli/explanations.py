"""What `explain` says of codes that are no findings of a manifest: errors of ours, ends of items, words of the service.

Each says what happened, what it cost, and the way on. A code that the program can print and nobody explains fails a
test. The findings' paragraphs are in `jobs.codes`; the errors' own classes explain their default codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["ERRORS", "ITEMS", "SERVICE"]

# The service's documented codes, with what this runner does about each.
SERVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_key_expired": "The key's time is over. Make a new one in the account's settings. Exit code 4.",
        "api_key_invalid": "The service does not know the key. Copy it again. Exit code 4.",
        "api_key_missing": "No key arrived at the service. Set RIVYA_API_KEY. Exit code 4.",
        "api_key_revoked": "The key was taken back. Make a new one in the account's settings. Exit code 4.",
        "api_scope_denied": "The key lacks a scope: older keys have none for files. Make a new key. Exit code 4.",
        "generation_failed": "A task was accepted and then failed. `retry` buys it again; credits may have come back.",
        "idempotency_conflict": "The service has seen this key with something else, or is still at work on it. The "
        "runner waits and sends the same bytes again a few times; then the item is `uncertain` and needs a person.",
        "insufficient_credits": "The balance is too small. Top up, then run the same command again. Exit code 5.",
        "not_found": "The service does not know the task, for this account. Right after a create it may only be slow; "
        "if it stays so the item is `vanished` and needs a person.",
        "public_api_disabled": "The API is switched off for now. Run the same command again later. Exit code 8.",
        "rate_limited": "Too many requests. The runner slows down by itself; `--creates` and `--polls` set ceilings.",
        "validation_failed": "The service refused the request as written. Nothing was bought; the item is `rejected`.",
    }
)

# How an item may stand without having succeeded: its `error.code` in `results`.
ITEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uncertain": "A create may have been bought, and nobody can tell any more: its answers were lost, and its key "
        "is older than the hour that the service surely remembers keys for, or was sent as often as `retries.sends` "
        "allows, or the service keeps answering that the key was used with another body. Its credits stay held, and "
        "it is never bought again by itself.\n\nLook it up in the account's history, or ask the service with the key "
        "and request ids that `rivya-batch show ITEM` prints. Then say what you know:\n\n"
        "    rivya-batch resolve ITEM --adopt TASK            it became this task\n"
        "    rivya-batch resolve ITEM --assume-not-created    it never arrived: `run` buys it anew\n"
        "    rivya-batch resolve ITEM --write-off             count it as spent, wait no more\n\nExit code 7.",
        "vanished": "The service had accepted the task and then answered 404 for it for more than a minute. Its "
        "credits stay held. Each run asks for it again, and takes it up where it left if it comes back; `resolve ITEM "
        "--write-off` ends the waiting. Exit code 7.",
        "stalled": "The task has no end within `limits.timeout` after its acceptance. Nothing is lost: it may still "
        "finish, each run asks for it again, and its credits stay held. Raise the timeout for slow models; "
        "`resolve ITEM --write-off` ends the waiting. Exit code 7.",
        "written_off": "A person said that nobody will ever know, and its credits count as spent. Its results are "
        "not waited for. If its task is known, runs still look for a day whether its credits came back. Only "
        "`retry` or `run --again` buys it once more.",
        "not_created": "A person said that the create never arrived. Its credits are free again, and the next `run` "
        "buys the item under a new key.",
        "not_sent": "The life ended before one byte of the item's create had left this machine, so nothing was bought. "
        "Its credits are free again, and the next `run` buys it.",
        "budget_exhausted": "The item did not fit what was left of the budget, so it was not bought. Run again with a "
        "higher `budget.credits` or `--budget`; the lowest layer that sets one counts. Exit code 5.",
        "over_per_item": "The item would cost more than the manifest's `budget.per_item`, so it was not bought.",
        "refused_alike": "Three items that share a value (of an axis, a job or a model) were refused in the same "
        "words, and none with it was ever taken. The rest of them were not bought; everything else went on. Nothing "
        "was charged. Change the value, or run again: then they are tried anew.",
        "reference-changed": "A reference is gone, or is not the file it was when the plan was made. It was not "
        "uploaded, and nothing that needs it was bought. Put the file back, or plan again.",
    }
)

# Codes of our own errors beyond the default code of each kind.
ERRORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "another-run": "The manifest now makes a run of another name or edition than the one named. Nothing was sent. "
        "Say the day of that run with --date, or its variables with --var.",
        "answer-unreadable": "An answer came that is not the API's: often a login page or a proxy in between, or a "
        "wrong RIVYA_BASE_URL. Nothing follows from it.",
        "base-url": "RIVYA_BASE_URL must be https, or http on the loopback address, and nothing but scheme, host and "
        "port. The key is sent to no other place.",
        "bucket-missing": "The bucket of `output.dir` does not exist, or not in this region or at this endpoint. "
        "Nothing was bought.",
        "bucket-no-credentials": "Nothing says as whom to write to the bucket. Keys come from AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, from a profile of `aws configure` that holds keys, or from the machine's role. Nothing "
        "was bought.",
        "bucket-overwrites": "The store takes an object under a name that is taken, although it was told not to. A "
        "result could replace another one there, so nothing is saved to it.",
        "bucket-plain-http": "The store's address is plain http to another machine: prompts and results would cross "
        "the network in the clear. Nothing was sent.",
        "bucket-refused": "The bucket refuses what was asked of it. Saving results needs s3:PutObject and, to know its "
        "own files again, s3:GetObject. The code in brackets is the store's. What was bought stays at the service "
        "until the same command saves it.",
        "bucket-unreachable": "The store gave no usable answer in time. What was bought stays at the service until the "
        "same command saves it.",
        "cannot-resolve": "A person's word is taken only on what is in doubt: `uncertain` items, and for --write-off "
        "also `vanished` and `stalled` ones. Nothing was changed; `rivya-batch show ITEM` tells where it stands.",
        "control-misunderstood": "What came over the run's control socket is no request it knows. Nothing was changed. "
        "Use the same release of rivya-batch in both shells.",
        "declined": "The question was answered with something other than `yes`. Nothing was sent or changed.",
        "download-too-large": "A result is larger than the runner saves. It is paid for and stays at the service; the "
        "address is in `results`.",
        "embed-too-large": "The results are more than a mail carries, so no page was written. Without --embed the page "
        "loads them from beside it: send it together with the results' folder.",
        "extra-missing": "What was asked for comes with an extra that is not installed. The next line has the command "
        "that installs it, such as `pip install 'rivya-batch[parquet]'`. Nothing was sent.",
        "handout-unknown": "Another release of rivya-batch handed this run out, with words that this one does not "
        "know. Workers and the command that began the run should be of one release. What was bought is in the ledger.",
        "item-ambiguous": "More than one item is called so. Write more of its identity, or its whole key.",
        "item-unknown": "No item of the run is called so. `rivya-batch results` lists them; an item may be named by "
        "its key, the beginning of its identity, its task id or its idempotency key.",
        "key-file-is-key": "RIVYA_API_KEY_FILE must name a file that holds the key; it holds a key itself. Take it "
        "out of the environment and your shell's history.",
        "key-file-open": "Others can read the key's file. `chmod 600` it; consider the key known, and make a new one.",
        "key-file-unreadable": "The file named by RIVYA_API_KEY_FILE cannot be read.",
        "key-malformed": "The key holds characters that cannot stand in a header, or is empty. Copy it again.",
        "key-missing": "No key is set. Set RIVYA_API_KEY, or RIVYA_API_KEY_FILE to a file that only you can read. "
        "`--sim` needs none.",
        "ledger-damaged": "The ledger fails its own checks. Nothing was sent, and nothing was changed. Keep the file: "
        "it knows what was paid for. Restore a backup beside it under another name and use --store.",
        "ledger-item-moved": "A write saw an older state of the item than the ledger holds. Nothing of it was written. "
        "A fault of ours: report it.",
        "ledger-missing": "There is no ledger here. A run makes one; --store names another place.",
        "ledger-newer": "A newer release of rivya-batch has written this ledger. Use that release.",
        "ledger-no-attempt": "An event of an attempt that was never opened. Nothing of it was written. A fault of "
        "ours: report it.",
        "ledger-not-lockable": "The file system refuses locks. Put the ledger on a local disk with --store.",
        "ledger-other-account": "The ledger belongs to another account label or another service. Its keys mean "
        "nothing there, so going on would pay twice. Set the account and address it names, or another --store.",
        "ledger-over-cap": "An intent did not fit the budget when it was written. Nothing was sent. A fault of ours: "
        "report it.",
        "ledger-rule": "A write broke one of the ledger's own rules and was refused whole. A fault of ours: report it.",
        "not-confirmed": "Nobody can be asked here, and what was asked for needs a `yes`. Nothing was sent. Add --yes, "
        "and for a purchase a budget.",
        "nothing-selected": "--select, --exclude and --limit leave no item. Nothing was sent.",
        "open-files": "The system lets this process have fewer files and connections open than a run needs. Nothing "
        "was bought. Raise the limit (`ulimit -n`), or have it raised.",
        "pick-unknown": "A file given to --select names an item that the manifest does not make, or not any more. "
        "Nothing was sent. `plan --explain` lists all keys; a changed key is a changed axis, job or row.",
        "picks-unreadable": "A file given to --select cannot be read, or is no list of items. It holds one item key a "
        "line; lines that begin with # are comments. Nothing was sent.",
        "ray-unusable": "Ray could not be begun on this machine, or this machine is no node of the cluster that "
        "RAY_ADDRESS names, or that is away. Nothing was bought.",
        "run-elsewhere": "The run is alive on another machine, and is steered from there: its socket is in the folder "
        "where it was begun. Nothing was changed.",
        "run-ending": "The run is stopping or has just ended, so it takes no more changes. Nothing was changed. Give "
        "its command again to go on.",
        "run-not-alive": "The run named is not running now, so there is nothing to steer; the message says when it "
        "ended and how. Nothing was changed. The command to go on stands below it.",
        "run-unreachable": "The run is alive and could not be asked: it is just starting or ending, or something that "
        "is not its own lies where its socket should. Try again in a moment; Ctrl-C where it runs always works.",
        "run-unknown": "The ledger has no run of this name. `rivya-batch ls` lists them.",
        "steering-refused": "The run was reached, and cannot do what was asked as it stands; the message says why. "
        "Nothing was changed.",
        "store-address": "What --store or RIVYA_BATCH_STORE names is no address of a database. Write it as "
        "postgresql://USER@HOST:PORT/DATABASE. Nothing was sent.",
        "store-encoding": "The database does not keep text as UTF-8, so some prompts would not fit. Make another with "
        "that encoding. Nothing was sent.",
        "store-no-database": "The server is there, and has no database of this name. `createdb` makes one; the tables "
        "come with the first run. Nothing was sent.",
        "store-no-user": "The database's server does not know this user. Nothing was sent.",
        "store-not-allowed": "The database's server does not let this user or this machine do what is needed: to "
        "connect, or to make a ledger's schema (GRANT CREATE ON DATABASE). Nothing was sent.",
        "store-password": "The database's server wants a password, or another one. It is best kept out of the address, "
        "in the file that PGPASSFILE names. Nothing was sent.",
        "store-password-shown": "Ray keeps and shows what its workers are told, so no password may be in the store's "
        "address. Name it in PGPASSFILE or PGPASSWORD, here and where Ray was started. Nothing was sent.",
        "store-queue": "The tables of Procrastinate, by which shards are handed out, cannot be made or reached in the "
        "database. Nothing was bought. GRANT CREATE ON SCHEMA public is enough, once.",
        "store-too-old": "The database's server is an older PostgreSQL than a ledger can be kept in.",
        "store-unreachable": "The database's server could not be reached, or was away for longer than a run waits. "
        "What was bought is in it. Run the same command again when it is there; nothing is bought twice.",
        "task-taken": "The task belongs to another attempt of this ledger: adopting it would count one result twice.",
        "task-unknown": "The service knows no such task for this key. Nothing was changed.",
    }
)
