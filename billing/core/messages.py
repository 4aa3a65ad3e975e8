"""The sentences of every error, rejection and warning, by code: what is wrong, and what to do about it.

Remedies are worded so that they fit every interface. Where one has better words, such as the name of a
function or of an option, it keeps them in a table of its own: `remedies` for Python, `billing.cli.remedies`
for the command line.
"""

from __future__ import annotations

from typing import Final

#: code -> (what is wrong and why, what to do). `errors.sentence` fills in the fields in braces.
MESSAGES: Final[dict[str, tuple[str, str]]] = {
    # Instants
    "ts_missing": ("{field} is missing", "Every event needs an instant, for example 2026-01-31T09:00:00Z."),
    "ts_naive": (
        "{field} is {got}, which has no UTC offset",
        'Write, for example, "2026-03-01T10:00:00Z".',
    ),
    "ts_numeric": (
        "{field} is {got}, a number that could be seconds or milliseconds",
        'Write RFC 3339 text, for example "2026-03-01T10:00:00Z".',
    ),
    "ts_not_a_time": (
        "{field} is {got}, which does not exist in the calendar or on the clock",
        'Write RFC 3339 text, for example "2026-03-01T10:00:00Z".',
    ),
    "ts_format": (
        "{field} is {got}, which is not RFC 3339",
        'Write, for example, "2026-03-01T10:00:00Z" or "2026-03-01T11:00:00.123456+01:00".',
    ),
    "ts_zone_names_unsupported": (
        "{field} is {got}, which names a time zone",
        "Write the offset that held there instead, for example -05:00.",
    ),
    "ts_too_precise": ("{field} is {got}, which is finer than a microsecond", "Write at most 6 digits of a second."),
    "ts_leap_second": ("{field} is {got}, a leap second", "Write the second as 59, for example 23:59:59.999999Z."),
    "ts_out_of_range": (
        "{field} is {got}, outside the years 2000 to 2199",
        "Check the clock and the unit it was written with.",
    ),
    # Ids and types
    "id_missing": ("{field} is missing", "Every event names its account and its identity."),
    "id_empty": ("{field} is {got}, which is empty", "Write the id, or leave out a column that is not used."),
    "id_too_long": ("{field} is {got}, {bytes} bytes long", "Ids have at most 128 bytes of UTF-8."),
    "id_bad_char": (
        "{field} is {got}, which contains {char}",
        "Ids have no control or bidirectional characters and are valid Unicode.",
    ),
    "id_not_nfc": (
        "{field} is {got}, which is not in Unicode normalization form C",
        "Send it composed, as {nfc}, so that one person is one identity.",
    ),
    "id_conflict": (
        "event_id is {got}, which {first} has with another {differs}",
        "The first stays. Give each event an id of its own, or void the first.",
    ),
    "type_invalid": ("type is {got}, which no event has", "Types are lower case: {known}."),
    "type_unknown": ("type is {got}, which is unknown{hint}", "Known types: {known}."),
    "identity_type_missing": (
        "identity_type is missing, which identity.created must have",
        'Write "engagement" or "standard".',
    ),
    "identity_type_unknown": ("identity_type is {got}, which is unknown", 'Write "engagement" or "standard".'),
    "identity_type_conflict": (
        "identity_type is {got}, but {first} created identity {identity} as {differs}",
        "The first stays: a type never changes. Void the one that is wrong.",
    ),
    "voids_missing": ("voids is missing, which event.voided must have", "Write the event_id of the mistake."),
    "void_of_void": (
        "voids is {got}, which is itself an event.voided",
        "A void is final. Record the event again, under a new id.",
    ),
    "results_invalid": ("results is {got}, which is not a whole number from 0", "Write how many results there were."),
    "mode_unknown": ("mode is {got}, which is unknown", 'Write "direct", "auto" or "managed", or nothing.'),
    # JSON
    "json_invalid": ("the line is not one JSON object: {detail}", "Write one event a line, as one object."),
    "json_duplicate_key": ("key {got} appears twice", "Keep the one that is meant."),
    "json_too_deep": ("the line is nested deeper than 8", "An event is one flat object."),
    "field_unknown": ("field {got} is unknown{hint}", "Known fields: {known}. Or let unknown ones be ignored."),
    "number_not_finite": ("{field} is {got}, which is not a finite number", "Write a number."),
    "type": ("{field} is {got}, which is not {wanted}", "Write {wanted}."),
    # Files
    "file_missing": ("there is no such file", "Check the name{hint}."),
    "nothing_accepted": ("no row of it could be accepted", "Its rejections say why."),
    "file_unwritable": ("it cannot be written: {detail}", "Give a file in a folder that exists and may be written."),
    "file_unreadable": ("it cannot be read: {detail}", "Check its permissions."),
    "file_empty": ("it has no events", "Check the export that made it; an empty bill would hide a broken one."),
    "file_truncated": ("it ends early{after}; nothing was used", "Fetch or export it again."),
    "file_corrupt": ("it is damaged: {detail}; nothing was used", "Fetch or export it again."),
    "file_changed": ("it changed while it was being read; nothing was used", "Read it when it is complete."),
    "file_too_large": ("it claims {got} rows; the limit is 1,000,000,000", "Split it, or check what made it."),
    "file_type": (
        "its kind is not known",
        "Give .csv, .jsonl (also .gz or .zst), .parquet, a folder or glob of them, or - for standard input.",
    ),
    "file_rejected": ("{detail}; nothing was used", "Write plain columns of text and timestamps."),
    "encoding": ("it is not UTF-8{after}; nothing was used", "Save it as UTF-8."),
    "csv_header": ("the header {detail}", "The first line names the columns, separated by commas: {known}."),
    "csv_header_repeated": (
        "the header is repeated, so these are several files in one; nothing was used",
        "Give the files one by one, or in a folder.",
    ),
    "csv_ragged": (
        "the row has {got} of {expected} fields; nothing was used",
        "Quote fields that hold commas, or export it again.",
    ),
    "csv_quote": ("a quote is opened and never closed; nothing was used", "Close it, or export it again."),
    "csv_field_too_long": ("{field} is {got}, {bytes} bytes long", "No field is longer than 131,072 bytes."),
    "column_missing": ("there is no column {field}", "Columns needed: account_id, identity_id, type, occurred_at."),
    "column_type": ("column {field} is {got}", "It must be {wanted}."),
    "known_at_unavailable": (
        "known_at was asked for, and there is no column recorded_at to tell what was known",
        "Add the column, or leave out known_at.",
    ),
    "recorded_at_missing": (
        "recorded_at is missing, and is needed to tell what was known when",
        "Write when the event was recorded, or leave out known_at and the column.",
    ),
    # Ledgers
    "ledger_url": ("{got} is not the address of a ledger", "Write sqlite:///billing.db or postgresql://HOST/DATABASE."),
    "ledger_missing": ("there is no ledger", "Check the name, or create one by importing events."),
    "ledger_exists": ("there is such a file already", "Give the name of a file that does not exist yet."),
    "ledger_foreign": ("it is something else than a ledger", "Check the name; it was left as it is."),
    "ledger_newer": (
        "it was made by a later version of this program: its schema is {got}, and up to {known} is known here",
        "Upgrade this program; the ledger was left as it is.",
    ),
    "ledger_unsafe": ("acknowledged events could be lost in it: {detail}", "{remedy}."),
    "ledger_full": (
        "the disk is full; nothing of the last batch was kept",
        "Make room and send the same events again, with the same ids.",
    ),
    "ledger_locked": (
        "another process has been writing to it for {seconds} seconds",
        "Wait for it to end and send the same events again, with the same ids.",
    ),
    "ledger_unreachable": (
        "the database does not answer: {detail}",
        "See that it runs, then send the same events again with the same ids; what is stored already stays once.",
    ),
    "ledger_unwritable": (
        "it cannot be opened for writing: {detail}",
        "Check that it is there, and who may write to it.",
    ),
    "ledger_damaged": ("it is damaged: {detail}", "Restore a backup, and import again what came after it."),
    "ledger_needs_extra": ("{detail} is not installed", "Install peak-billing[{extra}]."),
    "number_unknown": ("there is no document {got}", "Numbers are listed in the statement of each account."),
    "event_id_missing": (
        "event_id is missing, by which a ledger knows what it has already",
        "Make an id at the source, and keep it when sending again.",
    ),
    "recorded_at_backwards": (
        "recorded_at is {got}, and the ledger has recorded events until {last}",
        "What was known at a moment cannot change later. Leave out recorded_at to record it now.",
    ),
    "recorded_at_future": (
        "recorded_at is {got}, which has not come yet",
        "Check the clock that wrote it; nothing could be recorded before then.",
    ),
    "issued_at_backwards": (
        "documents dated {got} would come after what was recorded at {last}",
        "Date them then or later.",
    ),
    "head_unreadable": (
        "it is not the head of a ledger",
        "Give one as it was noted, as JSON with position, digest, documents_digest and recorded_at.",
    ),
    "backup_elsewhere": (
        "a ledger on a server is backed up by the server's own means",
        "Use pg_dump for its schema, and note its head beside the copy.",
    ),
    "position_ahead": ("there is no position {got}; the last is {last}", "Ask for one from 0 to {last}."),
    "position_needs_ledger": ("{field} was asked for, and only a ledger has positions", "Import the events into one."),
    "position_stale": (
        "it has gone on from position {got} to {last}; nothing was issued",
        "Look at what it would be now, and give the new position.",
    ),
    "terms_missing": (
        "the ledger holds no terms, and none were given",
        "Give terms or a plan; they are kept with the first invoices.",
    ),
    "terms_differ": (
        "the terms given differ from version {version}, the newest in the ledger",
        "Leave them out, or add them as a new version, with the date from which it applies.",
    ),
    "terms_from_missing": (
        "the ledger holds terms already, up to version {version}, and no date was given",
        "Say from when the new ones apply, for example 2026-03-01T00:00:00Z.",
    ),
    "cycle_rule_change": (
        "account {account} has an invoice, and these terms give it other billing cycles",
        "Keep its anchor, months and timezone; a cycle rule does not change after the first invoice.",
    ),
    "cycles_overlap": (
        "account {account} was billed for a part of cycle {cycle} already, by {number}",
        "See which time zone rules and which anchor that invoice was drafted with.",
    ),
    "not_settled": (
        "account {account}: cycle {cycle} ends at {end}, and is closed {grace_period} later at the earliest",
        "Close it then, or with a shorter grace period.",
    ),
    "already_closed": (
        "account {account}: cycle {cycle} is closed, by {number}",
        "What came late is settled by a restatement.",
    ),
    "documents_stale": (
        "other documents came while these were drafted; nothing was issued",
        "Draft again, with what is there now.",
    ),
    # Findings of a ledger verification
    "position_gap": (
        "positions run from 1 without gaps, and {detail}",
        "Something was taken out, put in or moved there. Compare it with a backup.",
    ),
    "seal_broken": (
        "the {what} at position {position} is not what its digest seals: "
        "it was changed, or one before it was changed, moved or taken out",
        "Compare it with a backup, or with its source.",
    ),
    "number_gap": (
        "the document at position {position} has the number {got}, and {expected} is the next of its series",
        "A document was taken out, or its number changed. Compare it with a backup, or with what was sent.",
    ),
    "recorded_out_of_order": (
        "recorded_at is {got} at position {position}, and {last} just before it",
        "Things are recorded one after the other; one of the two was changed or moved. Compare both with a backup.",
    ),
    "names_differ": (
        "entries and table {table} do not fit: {detail}",
        "Codes are handed out from 1 as entries first use them. Compare both with a backup.",
    ),
    "count_differs": (
        "account {got} is said to have {said} entries, the first at position {said_first}; "
        "it has {count}, the first at {first}",
        "Its row in table account was changed, or its entries. Compare both with a backup.",
    ),
    "index_differs": (
        "table {table} does not repeat the entries as they are: {detail}",
        "Bills are read from it, so trust none. Restore a backup, and import again what came after it.",
    ),
    "head_differs": (
        "the {what} up to position {position} have the digest {digest}, and {noted} was noted",
        "They were changed since, or the note is of another ledger. Compare them with a backup.",
    ),
    "end_missing": (
        "it ends at position {last}, and position {position} was noted",
        "Its end was cut off, or the note is of another ledger. Restore a backup, and import again what came after it.",
    ),
    # Findings of a verification of bills
    "bill_differs": (
        "the {figure} is said to be {said} for account {account}, cycle {start} to {end}; "
        "by the definition it is {right}",
        "Trust neither before you know why; the events below show it.",
    ),
    "biller_unusable": ("{got} cannot be run: {detail}", "Give a command as you would type it."),
    "invoice_unreadable": (
        "it holds no invoice as billing writes them: {detail}",
        "Give invoices in JSON, as they were drafted or issued.",
    ),
    "verify_missing": (
        "{detail} is not installed",
        "Install peak-billing[verify].",
    ),
    # Findings about a certificate
    "certificate_invalid": (
        "it is not a certificate: {detail}",
        "Ask for the certificate again, and keep it as it is.",
    ),
    "certificate_count": (
        "the peak is {peak}, and {detail}",
        "Whoever is counted is listed once, with an event of its own. Pay for nobody else.",
    ),
    "certificate_outside": (
        "peak_at is {got}, outside the cycle from {start} to {end}",
        "What is billed is the peak of a cycle. Ask for the certificate of this one.",
    ),
    "certificate_not_covering": (
        "identity {identity} was not active at {peak_at} by what is listed: {detail}",
        "Nothing shows that it should be counted. Ask which other event kept it active.",
    ),
    "certificate_covers_until": (
        "covers_until of identity {identity} is {got}, {detail}",
        "It was changed, or made from other events. Ask for the certificate again.",
    ),
    "certificate_event_missing": (
        "{event}, which identity {identity} is counted by, is not among the events",
        "Check that they are complete; if they are, it did not happen, and the identity should not be counted.",
    ),
    "certificate_event_differs": (
        "{event}, which identity {identity} is counted by, is said to have the {field} {got}, and has {held}",
        "What happened is what the events say. Ask for the certificate again.",
    ),
    "certificate_event_voided": (
        "{event}, which identity {identity} is counted by, was recorded by mistake: {void} voids it",
        "It never happened. Ask which other event kept the identity active, or for a credit.",
    ),
    "certificate_standard": (
        "identity {identity} is a standard one",
        "Only engagement identities are counted. Ask for a credit.",
    ),
    "certificate_ended": (
        "identity {identity} is counted by {event}, whose cover ended at {at} with {type}; the peak is at {peak_at}",
        "Nothing shows that it should be counted. Ask which later event kept it active.",
    ),
    "certificate_basis": (
        "it says that it was made from a ledger, and basis.{field} is {got}; {detail}",
        "Check that the source is that ledger, whole and as it was exported; else it was made from something else.",
    ),
    # Plans and terms
    "document_invalid": ("it cannot be read as TOML or JSON: {detail}", "Mend it there."),
    "key_missing": ("{field} is missing", "{wanted}"),
    "key_unknown": ("{field} is not a setting{hint}", "Known here: {known}."),
    "value": ("{field} is {got}, which is not {wanted}", "Write {wanted}."),
    "currency_unknown": ("{field} is {got}, which is not a currency{hint}", "Write an ISO 4217 code such as USD."),
    "price_negative": ("{field} is {got}, which is negative", "Prices are 0 or more; use a discount to give back."),
    "price_not_string": (
        "{field} is {got}, a binary number that may not be what was written",
        'Write prices as text, for example "7.99".',
    ),
    "price_format": ("{field} is {got}, which is not a decimal number", "Write digits and at most one dot."),
    "price_scale": ("{field} is {got}, which has {decimals} decimals", "A price has at most 12 decimals."),
    "tiers_order": (
        "{field} is {got}, not greater than {before} of the tier before",
        "List the tiers from small to large; only the last may leave out up_to.",
    ),
    "tiers_bounds": (
        "{field} is {got}, which cannot be a bound",
        "There is at least one tier, and bounds are whole numbers from 1 to 10^12.",
    ),
    "currencies_differ": (
        "{field} of plan {plan} is {got}, and that of {first} is {currency}",
        "Amounts of two currencies cannot be compared; compare plans of one.",
    ),
    "maximum_below_minimum": ("maximum is {got}, below the minimum of {minimum}", "Raise the one or lower the other."),
    "percent_range": ("{field} is {got}, which is not a percentage from 0% to 100%", 'Write, for example, "10%".'),
    "quantity_range": ("{field} is {got}, which cannot be priced", "A quantity is a number from 0 to 10^12."),
    "quantity_not_priced": (
        "plan {plan} ends at {bound}, and {got} are to be priced",
        "Add a last tier without up_to, or a plan that reaches this far.",
    ),
    "plan_missing": ("account {got} has no plan", "Give a plan, or terms that have one for the account."),
    # Policies, cycles, accounts
    "window_range": ("{field} is {got}, which cannot be a window", "A window is longer than 0 and at most 3,650 days."),
    "reconnect_unknown": ("{field} is {got}, which is unknown", 'Write "extends" or "restarts".'),
    "cycle_months": ("{field} is {got}, which cannot be the length of a cycle", "Write 1, 3, 6 or 12."),
    "cycle_name": ("{field} is {got}, which is not a month", "A cycle is named by the month it starts in: 2026-01."),
    "cycle_empty": ("the cycles end at {end}, before they start at {start}", "Put the earlier month first."),
    "cycle_none": ("account {account} has no cycle that starts in {got}", "Ask for another month."),
    "account_needed": ("there are several accounts", "Say which: {known}."),
    "timezone_unknown": (
        "{field} is {got}, which is not a time zone{hint}",
        "Write an IANA name such as Europe/Paris.",
    ),
    "account_unknown": ("there is no account {got}{hint}", "Check the spelling; ids are case-sensitive."),
    # Reports and warnings
    "active_after_deletion": (
        "of {total} intervals of activity, {count} began after the same identity had been deleted",
        "They are counted. If an id was not reused on purpose, check who sent those events.",
    ),
    "suspicious_zero": (
        "account {account} is billed for 0 in cycle {cycle}; the peak before was {before}",
        "Check that its events still arrive.",
    ),
    "tiers_bounded": (
        "{field} is {got}, and no tier follows: larger quantities will be refused",
        "Add a last tier without up_to if that is not meant.",
    ),
    "tiers_cliff": (
        "{field} ends at {bound}: the total falls from {high} at {bound} to {low} at {next}; {dearer} more than {next}",
        "Nothing is wrong with that; customers pay less for more there.",
    ),
    # Credits
    "catalogue_order": (
        "{field} are not in order of date: the first has no applies_from, each later one a later date",
        "Put them in that order, so that every call has one version.",
    ),
    "ratio_range": (
        "{field} is {got}, which is no ratio",
        'Write digits in quotes, such as "0.05": at most 1000000, and 12 decimals.',
    ),
    "calls_unnamed": (
        "{count} of {total} calls name no action, so no credits are claimed for them",
        "Send the action with each action.called.",
    ),
    "credits_so_far": (
        "amounts have the credits used so far in them, and none of those to come, which are not forecast",
        "Expect more where actions go on being called.",
    ),
    "credits_not_weighed": (
        "amounts are those of identities alone: what differences in actions, results and modes do to credits is not "
        "weighed",
        "Compare the credits of both sources.",
    ),
    # Invoices of others
    "foreign_empty": ("it has no invoices", "Check the export that made it."),
    "foreign_columns": (
        "its columns are not known: {got}",
        "Say which is which in a mapping: account_id, cycle or cycle_start, quantity or amount.",
    ),
    "foreign_column_missing": (
        "the mapping says that {field} is column {got}, and there is none",
        "Columns here: {known}.",
    ),
    "foreign_cycle_missing": ("its cycle is missing", "Each invoice needs a cycle, or a cycle_start."),
    "foreign_figure_missing": ("it has neither a quantity nor an amount", "One of them is needed to compare."),
    "foreign_quantity": ("{field} is {got}, which is not a whole number", "Write how many identities were billed."),
    "foreign_amount": (
        "{field} is {got}, which is not an amount",
        "Write digits and at most one dot; minor units need a currency.",
    ),
    "accepted_invalid": (
        "it does not say which discrepancy was accepted: {detail}",
        "Each line is one discrepancy and the reason for which it was accepted, as reconciling wrote it.",
    ),
    "usage": ("{detail}", "See the documentation."),
    "chart_type": ("a chart cannot be written as that", "End its name with .svg, .png, .html or .json."),
    "locale_unknown": ("{field} is {got}, which is no locale", "Write, for example, de_DE or en_US."),
    "extra_missing": ("{detail} is not installed", "Install peak-billing[{extra}]."),
}
