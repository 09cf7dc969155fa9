{{ config(unique_key='h_user_hk', natural_key='user_id') }}

{{ hub(
    mentions=[
        {'changes': source('silver', 'bank_users_changes'), 'column': 'id'},
        {'changes': source('silver', 'bank_accounts_changes'), 'column': 'user_id'}
    ],
    hash_key='h_user_hk',
    business_key='user_id'
) }}
