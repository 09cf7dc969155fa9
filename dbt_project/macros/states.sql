{#
    CTEs that end in `states`: the slice's own changes of keys (`stated`) and, as a row of each key that changed since the
    truncate before it, each truncate (`emptied`). Every truncate that is known counts, also for a change that came after
    it. What the model holds is read as far back as new truncates reach. The end of a complete snapshot is a truncate too.
#}
{% macro states(changes, hash_key) -%}
{%- set key = key_of(changes) -%}
stated as (
    select
        {{ hash_key_of(changes, [key]) }} as {{ hash_key }},
        *
    from {{ slice(changes) }}
    where {{ key }} is not null
),

truncate_rows as (
    select * from {{ truncates(changes) }}
    where op = 't'
),

told as (
    select
        {{ hash_key }},
        change_position
    from stated
    union
    select
        {{ hash_key }},
        change_position
    from {{ held(this) }}
    where change_position not in (select change_position from truncate_rows)
),

ended as (
    select
        told.{{ hash_key }},
        min(truncate_rows.change_position) as change_position
    from told
    inner join truncate_rows on told.change_position < truncate_rows.change_position
    group by told.{{ hash_key }}, told.change_position
),

-- The end of a complete snapshot stands right below the snapshot's reads, and does not reach a key that these show.
shown as (
    select
        {{ hash_key }},
        substr(change_position, 1, length(change_position) - 2) || '.0' as change_position
    from told
    where change_position like '%.1'
),

reached as (
    select
        {{ hash_key }},
        change_position
    from ended
    except
    select
        {{ hash_key }},
        change_position
    from shown
),

emptied as (
    select
        keys.{{ hash_key }},
        truncate_rows.*
    from reached as keys
    inner join truncate_rows on keys.change_position = truncate_rows.change_position
),

states as (
    select * from stated
    union all
    select * from emptied
)
{%- endmacro %}
