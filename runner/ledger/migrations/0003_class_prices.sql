-- The highest figure the service ever gave for each price class: asked at every start, and a million attempts are too
-- many to look at for it.
CREATE TABLE class_prices (
    price_class TEXT PRIMARY KEY NOT NULL,
    credits INTEGER NOT NULL CHECK (credits > 0)
) STRICT;

INSERT INTO class_prices (price_class, credits)
SELECT price_class, max(max(coalesce(reserved_credits, 0), coalesce(final_credits, 0)))
FROM attempts
WHERE reserved_credits > 0 OR final_credits > 0
GROUP BY price_class;

CREATE TRIGGER a_higher_price_is_kept AFTER UPDATE OF reserved_credits, final_credits ON attempts
WHEN max(coalesce(new.reserved_credits, 0), coalesce(new.final_credits, 0))
    > coalesce((SELECT credits FROM class_prices WHERE price_class = new.price_class), 0)
BEGIN
    INSERT INTO class_prices (price_class, credits)
    VALUES (new.price_class, max(coalesce(new.reserved_credits, 0), coalesce(new.final_credits, 0)))
    ON CONFLICT (price_class) DO UPDATE SET credits = excluded.credits;
END;
